"""NumPy kernels of ops worth one. Each is held to its portable definition by a test."""

from __future__ import annotations

from dezero_core.extend import Kernel

from .channels import (
    batch_norm,
    channel_sum,
    channel_sum_of,
    channel_sums,
    supports_channels,
)
from .conv import (
    conv2d,
    conv2d_grad_W,
    conv2d_grad_x,
    conv2d_grads,
    supports_conv2d,
    supports_conv2d_grads,
)
from .losses import (
    softmax_cross_entropy,
    softmax_cross_entropy_grad,
    supports_scores,
    supports_scores_grad,
)
from .masks import relu, relu_grad, scaled_where, supports_masks, supports_relu
from .memory import keep_freed_memory
from .pooling import max_pool2d, max_pool2d_grad, max_pool2d_values, supports_max_pool2d
from .products import matmul, supports_matmul
from .recurrent import lstm, lstm_grad, supports_lstm, supports_lstm_grad
from .sigmoid import sigmoid, sigmoid_grad, supports_sigmoid
from .updates import add_scaled, supports_add_scaled, supports_update, update


def all_kernels() -> list[Kernel]:
    """Every kernel of this package; asked for when the first of them is about to run."""
    keep_freed_memory()
    return [
        Kernel("sigmoid", "numpy", sigmoid, supports_sigmoid),
        Kernel("conv2d", "numpy", conv2d, supports_conv2d, tolerance=3e-5),
        Kernel("conv2d_grad_x", "numpy", conv2d_grad_x, supports_conv2d, tolerance=3e-5),
        Kernel("conv2d_grad_W", "numpy", conv2d_grad_W, supports_conv2d, tolerance=3e-5),
        Kernel("conv2d_grads", "numpy", conv2d_grads, supports_conv2d_grads, tolerance=3e-5),
        Kernel("max_pool2d", "numpy", max_pool2d, supports_max_pool2d),
        Kernel("max_pool2d_values", "numpy", max_pool2d_values, supports_max_pool2d),
        Kernel("max_pool2d_grad", "numpy", max_pool2d_grad, supports_masks),
        Kernel("softmax_cross_entropy", "numpy", softmax_cross_entropy, supports_scores),
        Kernel(
            "softmax_cross_entropy_grad", "numpy", softmax_cross_entropy_grad, supports_scores_grad
        ),
        Kernel("sigmoid_grad", "numpy", sigmoid_grad, supports_sigmoid),
        Kernel("scaled_where", "numpy", scaled_where, supports_masks),
        Kernel("matmul", "numpy", matmul, supports_matmul),
        Kernel("lstm", "numpy", lstm, supports_lstm),
        Kernel("lstm_grad", "numpy", lstm_grad, supports_lstm_grad),
        Kernel("update", "numpy", update, supports_update),
        Kernel("add_scaled", "numpy", add_scaled, supports_add_scaled),
        Kernel("batch_norm", "numpy", batch_norm, supports_channels),
        Kernel("channel_sum", "numpy", channel_sum, supports_channels),
        Kernel("channel_sums", "numpy", channel_sums, supports_channels),
        Kernel("channel_sum_of", "numpy", channel_sum_of, supports_channels),
        Kernel("relu", "numpy", relu, supports_relu),
        Kernel("relu_grad", "numpy", relu_grad, supports_masks),
    ]
