"""Register oneDNN's kernels for NumPy arrays."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from dezero_core.extend import DEZERO_API, Kernel, hookimpl

__all__ = ["DEZERO_API", "dezero_kernels"]

BEFORE_NUMPY = 10
"""The priority of kernels without an estimate: before those of dezero-nn, whose priority is 0."""


@hookimpl
def dezero_kernels() -> list[Kernel]:
    """Return the kernels, or none if ``DEZERO_ONEDNN`` is ``off``.

    Raises:
        PluginError: there is no oneDNN library, or not the one expected.
    """
    if os.environ.get("DEZERO_ONEDNN") == "off":
        return []
    from . import blocked, channels_last, recurrent
    from .library import library

    library()
    by_priority: list[tuple[str, Callable[..., Any], Callable[..., bool]]] = [
        ("lstm", recurrent.onednn_lstm, recurrent.supports_lstm),
        ("lstm_grad", recurrent.onednn_lstm_grad, recurrent.supports_lstm_grad),
    ]
    return [
        *blocked.KERNELS,
        *channels_last.KERNELS,
        *[
            Kernel(op, "numpy", function, supports, priority=BEFORE_NUMPY)
            for op, function, supports in by_priority
        ],
    ]
