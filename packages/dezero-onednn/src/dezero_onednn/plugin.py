"""What this package registers with DeZero: kernels for NumPy's arrays that oneDNN computes."""

from __future__ import annotations

import os
from typing import Any

from dezero_core.extend import DEZERO_API, Kernel, hookimpl

__all__ = ["DEZERO_API", "dezero_kernels"]

BEFORE_NUMPY = 10
"""Asked before the kernels in plain NumPy, whose priority is 0."""


@hookimpl
def dezero_kernels() -> list[Kernel]:
    """None if the environment says ``DEZERO_ONEDNN=off``.

    Raises:
        PluginError: there is no oneDNN library, or not the one expected.
    """
    if os.environ.get("DEZERO_ONEDNN") == "off":
        return []
    from . import convolution, recurrent
    from .library import library

    library()
    kernels: list[tuple[str, Any, Any]] = [
        ("conv2d", convolution.onednn_conv2d, convolution.supports_conv2d),
        ("conv2d_grad_x", convolution.onednn_conv2d_grad_x, convolution.supports_conv2d_grad_x),
        ("conv2d_grad_W", convolution.onednn_conv2d_grad_W, convolution.supports_conv2d_grad_W),
        ("conv2d_grads", convolution.onednn_conv2d_grads, convolution.supports_conv2d_grads),
        ("lstm", recurrent.onednn_lstm, recurrent.supports_lstm),
        ("lstm_grad", recurrent.onednn_lstm_grad, recurrent.supports_lstm_grad),
    ]
    return [
        Kernel(op, "numpy", function, supports, priority=BEFORE_NUMPY)
        for op, function, supports in kernels
    ]
