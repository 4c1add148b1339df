"""Kernels of ops for NumPy arrays, where they save 5 % or more of a row of the benchmark.

A test compares each with the portable definition of its op.
"""

from __future__ import annotations

from dezero_core.extend import Kernel

from . import im2col, separate, winograd
from .channels import (
    batch_norm,
    channel_sum_of,
    channel_sums,
    supports_channels,
)
from .masks import relu, relu_grad, scaled_where, supports_masks, supports_relu
from .matmul import matmul, supports_matmul
from .memory import keep_freed_memory
from .pooling import max_pool2d, max_pool2d_grad, max_pool2d_values, supports_max_pool2d
from .recurrent import lstm, lstm_grad, supports_lstm, supports_lstm_grad
from .sigmoid import sigmoid, supports_sigmoid
from .updates import supports_update, update


def all_kernels() -> list[Kernel]:
    """Return the kernels of this package; called just before the first of them runs."""
    keep_freed_memory()
    return [
        Kernel("sigmoid", "numpy", sigmoid, supports_sigmoid),
        *im2col.KERNELS,
        *winograd.KERNELS,
        separate.KERNEL,
        Kernel("max_pool2d", "numpy", max_pool2d, supports_max_pool2d),
        Kernel("max_pool2d_values", "numpy", max_pool2d_values, supports_max_pool2d),
        Kernel("max_pool2d_grad", "numpy", max_pool2d_grad, supports_masks),
        Kernel("scaled_where", "numpy", scaled_where, supports_masks),
        Kernel("matmul", "numpy", matmul, supports_matmul),
        Kernel("lstm", "numpy", lstm, supports_lstm),
        Kernel("lstm_grad", "numpy", lstm_grad, supports_lstm_grad),
        Kernel("update", "numpy", update, supports_update),
        Kernel("batch_norm", "numpy", batch_norm, supports_channels),
        Kernel("channel_sums", "numpy", channel_sums, supports_channels),
        Kernel("channel_sum_of", "numpy", channel_sum_of, supports_channels),
        Kernel("relu", "numpy", relu, supports_relu),
        Kernel("relu_grad", "numpy", relu_grad, supports_masks),
    ]
