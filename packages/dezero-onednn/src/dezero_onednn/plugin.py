"""Register oneDNN's kernels for NumPy arrays."""

from __future__ import annotations

import os
from dataclasses import replace

from dezero_core.extend import DEZERO_API, Kernel, hookimpl

__all__ = ["DEZERO_API", "dezero_kernels"]

BEFORE_NUMPY = 10
"""The priority of kernels that have no cost estimate; dezero-nn's kernels have priority 0."""


@hookimpl
def dezero_kernels() -> list[Kernel]:
    """Return the kernels, or an empty list if ``DEZERO_ONEDNN`` is ``off``.

    Raises:
        PluginError: oneDNN is not installed, or is not version 3 built for OpenMP.
    """
    if os.environ.get("DEZERO_ONEDNN") == "off":
        return []
    from .library import library

    library()
    return all_kernels()


def all_kernels() -> list[Kernel]:
    """Return every kernel of this package, without loading oneDNN."""
    from . import blocked, channels_last, recurrent

    lstm = Kernel("lstm", "numpy", recurrent.onednn_lstm, recurrent.supports_lstm)
    lstm_grad = Kernel(
        "lstm_grad", "numpy", recurrent.onednn_lstm_grad, recurrent.supports_lstm_grad
    )
    by_priority = [replace(kernel, priority=BEFORE_NUMPY) for kernel in (lstm, lstm_grad)]
    return [*blocked.KERNELS, *channels_last.KERNELS, *by_priority]
