"""Define max, average and power-average pooling over one to three axes, by PyTorch's names.

Two-dimensional pooling does the work: a signal is an image with one row, and a volume is pooled
along its rows and columns, then along its depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer, as_number, require_bool
from dezero_core.dtypes import call_widened, cast
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import backend_of
from dezero_core.functions import pad as pad_axes
from dezero_core.functions import reshape
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from ..windows import DENSE, Pair, Shape, pair, per_axis, window_counts_along
from .along_axis import at_positions
from .convolutions import AXES, Sizes
from .pooling import average_pooling, lowest_number, pooling

Pool2d = Callable[[Variable, Pair, Pair, Pair, Pair], Variable]
"""A function of images, kernel size, stride, padding and dilation."""


@hinted
def max_pool1d(
    x: Operand, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    dilation: Sizes = 1, ceil_mode: bool = False,
) -> Variable:  # fmt: skip
    """Return the largest element of each window of signals; see `max_pool2d`.

    Args:
        x: shape (N, C, L), or (C, L).
        kernel_size, stride, padding, dilation, ceil_mode: as for `max_pool2d`.
    """
    return max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode)


@hinted
def max_pool2d(
    x: Operand, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    dilation: Sizes = 1, ceil_mode: bool = False,
) -> Variable:  # fmt: skip
    """Return the largest element of each window, like ``torch.nn.functional.max_pool2d``.

    The book's `pooling` has the default stride 1 instead of ``kernel_size``.

    Args:
        x: images, shape (N, C, H, W), or (C, H, W).
        kernel_size: the size of the windows, an integer or one for each axis.
        stride: the distance between windows. Default None: ``kernel_size``.
        padding: the elements added on each side, at most half of the window. Default 0. The added
            elements are never the maximum of a window.
        dilation: the distance between the elements of a window. Default 1.
        ceil_mode: True adds a last window that reaches past the end, if elements are left over.
            Default False.

    Returns:
        shape (N, C, OH, OW), or (C, OH, OW). The first of equal maxima gets the gradient.

    Raises:
        ShapeError: ``x`` has another number of axes, or no window fits.
        ArgumentError: a setting is out of range.
    """
    return max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode)


@hinted
def max_pool3d(
    x: Operand, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    dilation: Sizes = 1, ceil_mode: bool = False,
) -> Variable:  # fmt: skip
    """Return the largest element of each window of volumes; see `max_pool2d`.

    Args:
        x: shape (N, C, D, H, W), or (C, D, H, W).
        kernel_size, stride, padding, dilation, ceil_mode: as for `max_pool2d`.
    """
    return max_pool("max_pool3d", 3, x, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool(
    op: str, n: int, x: Operand, kernel_size: Sizes, stride: Sizes | None, padding: Sizes,
    dilation: Sizes, ceil_mode: bool,
) -> Variable:  # fmt: skip
    """Return the maximum of each window over the last ``n`` axes; see `max_pool2d`."""
    x = as_variable(x)
    steps, extra = pool_steps(op, n, x, kernel_size, stride, padding, dilation, ceil_mode)
    x = extended(x, extra, lowest_number(x.data))
    return over_axes(n, max_of_windows, x, steps)


def max_of_windows(x: Variable, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair) -> Variable:
    """Return the maximum of each window; the elements of dilated windows are copied first."""
    if dilation == DENSE:
        return pooling(x, kernel, stride, pad)
    each = zip(x.shape[2:], kernel, stride, pad, dilation, strict=True)
    for axis, settings in enumerate(list(each), 2):
        x = at_positions(x, axis, taps_inside(*settings))
    return pooling(x, kernel, kernel)


def taps_inside(n: int, kernel: int, stride: int, pad: int, dilation: int) -> list[int]:
    """Return the positions of the elements of each window along an axis of n elements.

    Positions in the padding are replaced by the first position of the window inside of the axis,
    so that the padding is never the maximum.

    Raises:
        ShapeError: a window consists of padding only.
    """
    found: list[int] = []
    for start in range(-pad, n + pad - dilation * (kernel - 1), stride):
        inside = [i for i in range(start, start + dilation * kernel, dilation) if 0 <= i < n]
        if not inside:
            raise ShapeError(
                f"max_pool: a window of kernel_size {kernel} with dilation {dilation} and padding "
                f"{pad} has no element of an axis of length {n}; take less padding"
            )
        found += [inside[0]] * (kernel - len(inside)) + inside
    return found


@hinted
def avg_pool1d(
    x: Operand, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> Variable:  # fmt: skip
    """Return the mean of each window of signals; see `avg_pool2d`.

    Args:
        x: shape (N, C, L), or (C, L).
        kernel_size, stride, padding, ceil_mode, count_include_pad: as for `avg_pool2d`.
    """
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad
    return call_widened(lambda x: avg_pool("avg_pool1d", 1, x, *settings), x)


@hinted
def avg_pool2d(
    x: Operand, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Variable:  # fmt: skip
    """Return the mean of each window, like ``torch.nn.functional.avg_pool2d``.

    The book's `average_pooling` has the default stride 1 instead of ``kernel_size``.

    Args:
        x: images, shape (N, C, H, W), or (C, H, W).
        kernel_size: the size of the windows, an integer or one for each axis.
        stride: the distance between windows. Default None: ``kernel_size``.
        padding: the zeros added on each side, at most half of the window. Default 0.
        ceil_mode: True adds a last window that reaches past the end, if elements are left over.
            Default False.
        count_include_pad: False divides by the number of elements of ``x`` in the window, without
            the zeros of the padding. Default True.
        divisor_override: divide by this number instead. Default None.

    Returns:
        shape (N, C, OH, OW), or (C, OH, OW).

    Raises:
        ShapeError: ``x`` has another number of axes, or no window fits.
        ArgumentError: a setting is out of range.
    """
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return call_widened(lambda x: avg_pool("avg_pool2d", 2, x, *settings), x)


@hinted
def avg_pool3d(
    x: Operand, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Variable:  # fmt: skip
    """Return the mean of each window of volumes; see `avg_pool2d`.

    Args:
        x: shape (N, C, D, H, W), or (C, D, H, W).
        kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: as for
            `avg_pool2d`.
    """
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return call_widened(lambda x: avg_pool("avg_pool3d", 3, x, *settings), x)


def avg_pool(
    op: str, n: int, x: Operand, kernel_size: Sizes, stride: Sizes | None, padding: Sizes,
    ceil_mode: bool, count_include_pad: bool, divisor: int | None = None,
) -> Variable:  # fmt: skip
    """Return the mean of each window over the last ``n`` axes; see `avg_pool2d`."""
    x = as_variable(x)
    require_bool(op, "count_include_pad", count_include_pad)
    if divisor is not None and as_integer(op, "divisor_override", divisor) == 0:
        raise ArgumentError(f"{op}: divisor_override is 0; expected another integer, or None")
    steps, extra = pool_steps(op, n, x, kernel_size, stride, padding, 1, ceil_mode)
    y = over_axes(n, mean_of_windows, extended(x, extra, 0.0), steps)
    kernel, _, pad, _ = steps
    if divisor is not None:
        return y * (math.prod(kernel) / divisor)
    if not any(extra) and (count_include_pad or not any(pad)):
        return y
    counted_pad = pad if count_include_pad else (0,) * n
    for axis, settings in enumerate(
        zip(x.shape[-n:], *steps[:3], counted_pad, strict=True), x.ndim - n
    ):
        y = y * window_shares(y, axis, *settings)
    return y


def mean_of_windows(x: Variable, kernel: Pair, stride: Pair, pad: Pair, _: Pair) -> Variable:
    """Return the mean of each window, including the zeros of the padding."""
    return average_pooling(x, kernel, stride, pad)


def window_shares(
    y: Variable, axis: int, size: int, kernel: int, stride: int, pad: int, counted_pad: int
) -> Any:
    """Return the length of a window, divided by how much of each window counts along one axis.

    The elements from ``-counted_pad`` to ``size + counted_pad`` (exclusive) count.
    """
    backend = backend_of(y.data)
    start = backend.arange(y.shape[axis], y.data) * stride - pad
    xp = backend.xp
    counted = xp.clip(start + kernel, None, size + counted_pad) - xp.clip(start, -counted_pad, None)
    return kernel / xp.reshape(cast(counted, y.dtype), (-1, *[1] * (y.ndim - 1 - axis)))


@hinted
def lp_pool1d(
    x: Operand, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Variable:  # fmt: skip
    """Return ``(sum of x**norm_type)**(1/norm_type)`` over each window of signals.

    Args:
        x: shape (N, C, L), or (C, L).
        norm_type: the exponent; 1 sums each window.
        kernel_size, stride, ceil_mode: as for `avg_pool1d`.
    """
    settings = norm_type, kernel_size, stride, ceil_mode
    return call_widened(lambda x: lp_pool("lp_pool1d", 1, x, *settings), x)


@hinted
def lp_pool2d(
    x: Operand, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Variable:  # fmt: skip
    """Return ``(sum of x**norm_type)**(1/norm_type)`` over each window of images.

    Args:
        x: shape (N, C, H, W), or (C, H, W).
        norm_type: the exponent; 1 sums each window.
        kernel_size, stride, ceil_mode: as for `avg_pool2d`.
    """
    settings = norm_type, kernel_size, stride, ceil_mode
    return call_widened(lambda x: lp_pool("lp_pool2d", 2, x, *settings), x)


def lp_pool(
    op: str, n: int, x: Any, norm_type: float, kernel_size: Sizes, stride: Sizes | None,
    ceil_mode: bool,
) -> Variable:  # fmt: skip
    """Return the p-norm of each window, without absolute values; see `lp_pool2d`."""
    p = as_number(op, "norm_type", norm_type)
    if not p > 0:
        raise ArgumentError(f"{op}: norm_type {norm_type}: expected a number above 0")
    size = math.prod(per_axis(n, kernel_size, f"{op}: kernel_size", 1))
    mean = avg_pool(op, n, as_variable(x) ** p, kernel_size, stride, 0, ceil_mode, True)
    return (mean * size) ** (1 / p)


def pool_steps(
    op: str, n: int, x: Variable, kernel_size: Sizes, stride: Sizes | None, padding: Sizes,
    dilation: Sizes, ceil_mode: bool,
) -> tuple[tuple[Shape, Shape, Shape, Shape], Shape]:  # fmt: skip
    """Return kernel size, stride, padding and dilation of each axis, and the elements to add.

    Elements are added at the end of an axis in ``ceil_mode``, so that the last window fits.
    """
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(f"{op}: x {x.shape}: expected (N, C, {AXES[n]}) or (C, {AXES[n]})")
    require_bool(op, "ceil_mode", ceil_mode)
    kernel = per_axis(n, kernel_size, f"{op}: kernel_size", 1)
    strides = kernel if stride is None else per_axis(n, stride, f"{op}: stride", 1)
    pad = per_axis(n, padding, f"{op}: padding", 0)
    spread = per_axis(n, dilation, f"{op}: dilation", 1)
    if any(2 * p > d * (k - 1) + 1 for p, k, d in zip(pad, kernel, spread, strict=True)):
        raise ArgumentError(
            f"{op}: padding {pad} is more than half of the windows of kernel_size {kernel}; take "
            "less padding"
        )
    steps = kernel, strides, pad, spread
    window_counts_along(op, x.shape[-n:], *steps)
    each = zip(x.shape[-n:], *steps, strict=True)
    return steps, tuple(overhang(*axis) if ceil_mode else 0 for axis in each)


def overhang(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Return how far one more window reaches past the padded end of an axis, or 0.

    The window is added only if elements are left over, and it starts before the padding at the end.
    """
    left = (size + 2 * pad - dilation * (kernel - 1) - 1) % stride
    start = size + 2 * pad - dilation * (kernel - 1) - 1 - left + stride
    return stride - left if left and start < size + pad else 0


def extended(x: Variable, extra: Shape, value: float) -> Variable:
    """Return ``x`` with elements ``value`` added at the end of the last axes."""
    if not any(extra):
        return x
    return pad_axes(x, [(0, 0)] * (x.ndim - len(extra)) + [(0, more) for more in extra], value)


def over_axes(n: int, pool: Pool2d, x: Variable, steps: tuple[Shape, ...]) -> Variable:
    """Apply a two-dimensional pooling to the last ``n`` axes; see the module's docstring."""
    if n == 2 and x.ndim == 4:
        return pool(x, *map(pair, steps))
    lead, size = x.shape[:-n], x.shape[-n:]
    N, C = lead if len(lead) == 2 else (1, *lead)
    *depth, H, W = (1, *size) if n == 1 else size
    each = list(zip(steps, WHOLE, strict=True))
    y = reshape(x, (N, C * math.prod(depth), H, W))
    y = pool(y, *[pair((whole, *values)[-2:]) for values, whole in each])
    *_, OH, OW = y.shape
    if depth:
        y = reshape(y, (N, C, *depth, OH * OW))
        y = pool(y, *[(values[0], whole) for values, whole in each])
    return reshape(y, (*lead, *y.shape[2 : len(depth) + 2], *(OH, OW)[-n:]))


WHOLE = 1, 1, 0, 1
"""Kernel size, stride, padding and dilation along an axis that is not pooled."""
