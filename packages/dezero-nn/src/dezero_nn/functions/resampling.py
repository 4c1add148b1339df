"""Define adaptive pooling, interpolation and pixel shuffling.

Averages and interpolations are linear and act on one axis at a time, so each is a matrix product:
row i of the matrix holds the weights of the elements that give element i of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import floordiv, mod
from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer, as_number, is_sequence, require_bool
from dezero_core.dtypes import call_widened, cast
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import Array, backend_of
from dezero_core.functions import mean, repeat, reshape, transpose
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from ..windows import Shape, per_axis
from .along_axis import at_positions, times_matrix
from .convolutions import AXES, Sizes
from .max_avg_pool import max_of_windows, over_axes

Weights = Callable[[Any, Array, Array], Array]
"""A function of an array namespace, positions (m, 1) and elements (n,) that returns (m, n)."""
OutputSizes = int | None | tuple[int | None, ...]
"""One length for all axes, or one for each axis; None keeps the length of the input."""


@hinted
def adaptive_avg_pool1d(x: Operand, output_size: OutputSizes) -> Variable:
    """Return means of signals, so that the output has length ``output_size``.

    Args:
        x: shape (N, C, L), or (C, L).
        output_size: the length of the output; see `adaptive_avg_pool2d`.
    """
    return call_widened(lambda x: adaptive_avg_pool("adaptive_avg_pool1d", 1, x, output_size), x)


@hinted
def adaptive_avg_pool2d(x: Operand, output_size: OutputSizes) -> Variable:
    """Return means of images, so that the output has the size ``output_size``.

    Like ``torch.nn.functional.adaptive_avg_pool2d``: along an axis of length n, output i of m is
    the mean of the elements from ``floor(i n / m)`` to ``ceil((i + 1) n / m)``, exclusive.

    Args:
        x: images, shape (N, C, H, W), or (C, H, W).
        output_size: an integer, or a pair (OH, OW); None keeps the length of the axis.

    Returns:
        shape (N, C, OH, OW), or (C, OH, OW).

    Raises:
        ShapeError: ``x`` has another number of axes, or one of them is empty.
        ArgumentError: a length is below 1.
    """
    return call_widened(lambda x: adaptive_avg_pool("adaptive_avg_pool2d", 2, x, output_size), x)


@hinted
def adaptive_avg_pool3d(x: Operand, output_size: OutputSizes) -> Variable:
    """Return means of volumes, so that the output has the size ``output_size``.

    Args:
        x: shape (N, C, D, H, W), or (C, D, H, W).
        output_size: an integer, or (OD, OH, OW); see `adaptive_avg_pool2d`.
    """
    return call_widened(lambda x: adaptive_avg_pool("adaptive_avg_pool3d", 3, x, output_size), x)


def adaptive_avg_pool(op: str, n: int, x: Operand, output_size: OutputSizes) -> Variable:
    """Return means over intervals of the last ``n`` axes; see `adaptive_avg_pool2d`."""
    x = as_variable(x)
    lengths = output_lengths(op, n, x, output_size)
    if set(lengths) == {1}:
        return mean(x, tuple(range(-n, 0)), keepdims=True)
    for axis, m in enumerate(lengths, x.ndim - n):
        if m != x.shape[axis]:
            x = times_matrix(x, axis, mean_weights(x.data, x.shape[axis], m))
    return x


def mean_weights(x: Array, n: int, m: int) -> Array:
    """Return the matrix (m, n) that averages n elements over m intervals."""
    backend = backend_of(x)
    first, last = intervals(backend, x, n, m)
    position = backend.arange(n, x)
    chosen = (position >= first[:, None]) & (position < last[:, None])
    return cast(chosen, x.dtype) / cast(last - first, x.dtype)[:, None]


def intervals(backend: Any, x: Array, n: int, m: int) -> tuple[Any, Any]:
    """Return the start and the end (exclusive) of each of m intervals that cover n elements."""
    i = backend.arange(m, x)
    return (i * n) // m, ((i + 1) * n + (m - 1)) // m


def output_lengths(op: str, n: int, x: Variable, output_size: Any) -> Shape:
    """Return the length of each of the last ``n`` axes of an adaptive pooling's output."""
    if x.ndim not in (n + 1, n + 2) or 0 in x.shape[-n:]:
        raise ShapeError(
            f"{op}: x {x.shape}: expected (N, C, {AXES[n]}) or (C, {AXES[n]}), with elements"
        )
    listed = tuple(output_size) if is_sequence(output_size) else (output_size,) * n
    kept = [length if m is None else m for m, length in zip(listed, x.shape[-n:], strict=False)]
    if len(listed) != n:
        raise ArgumentError(f"{op}: output_size {output_size}: expected an integer, or {n} of them")
    return tuple([as_integer(op, "output_size", m, 1) for m in kept])


@hinted
def adaptive_max_pool1d(x: Operand, output_size: OutputSizes) -> Variable:
    """Return maxima of signals, so that the output has length ``output_size``.

    Args:
        x: shape (N, C, L), or (C, L).
        output_size: the length of the output; see `adaptive_avg_pool2d`.
    """
    return adaptive_max_pool("adaptive_max_pool1d", 1, x, output_size)


@hinted
def adaptive_max_pool2d(x: Operand, output_size: OutputSizes) -> Variable:
    """Return maxima over the same intervals as `adaptive_avg_pool2d`, with the same arguments.

    Args:
        x: images, shape (N, C, H, W), or (C, H, W).
        output_size: an integer, or a pair (OH, OW); None keeps the length of the axis.
    """
    return adaptive_max_pool("adaptive_max_pool2d", 2, x, output_size)


def adaptive_max_pool(op: str, n: int, x: Operand, output_size: OutputSizes) -> Variable:
    """Return maxima over intervals of the last ``n`` axes; see `adaptive_max_pool2d`.

    Equal intervals are the windows of one pooling. Otherwise one axis after the other is pooled,
    the last axis first: the elements of intervals that overlap are copied, so that each interval
    becomes a window of the same length; a shorter interval repeats its last element.
    """
    y = as_variable(x)
    lengths = output_lengths(op, n, y, output_size)
    if not any(map(mod, y.shape[-n:], lengths)):
        return pool_max(n, y, list(map(floordiv, y.shape[-n:], lengths)))
    for axis, m in reversed(list(enumerate(lengths, y.ndim - n))):
        length = y.shape[axis]
        windows = [range(i * length // m, -(-(i + 1) * length // m)) for i in range(m)]
        longest = max(map(len, windows))
        if length % m:
            index = [i for w in windows for i in (*w, *[w[-1]] * (longest - len(w)))]
            y = at_positions(y, axis, index)
        if longest > 1:
            y = pool_max(n, y, [longest if k == axis else 1 for k in range(y.ndim - n, y.ndim)])
    return y


def pool_max(n: int, x: Variable, kernel: Sequence[int]) -> Variable:
    """Return maxima over adjacent windows of the last ``n`` axes."""
    steps = tuple(kernel), tuple(kernel), (0,) * n, (1,) * n
    return over_axes(n, max_of_windows, x, steps)


@hinted
def interpolate(
    x: Operand, size: Sizes | None = None, scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest", align_corners: bool | None = None, recompute_scale_factor: bool = False,
) -> Variable:  # fmt: skip
    """Resize signals, images or volumes, like ``torch.nn.functional.interpolate``.

    Args:
        x: shape (N, C, L), (N, C, H, W) or (N, C, D, H, W).
        size: the size of the output, an integer or one for each axis.
        scale_factor: the output length divided by that of ``x``, a number or one for each axis;
            the length is rounded down. Give either ``size`` or ``scale_factor``.
        mode: "nearest" (default) or "nearest-exact" copies the nearest element, "linear",
            "bilinear" or "trilinear" (for one, two or three axes) interpolates linearly,
            "bicubic" (for images) by cubic convolution with a = -0.75 (Keys, 1981), and "area" is
            the adaptive average pooling.
        align_corners: True places the first and last elements of input and output at the same
            positions, False the outer borders of these elements; None (default) means False. Only
            the modes whose names end in "linear" or "cubic" accept True or False.
        recompute_scale_factor: True computes positions from the lengths of input and output, False
            (default) from ``scale_factor``; they differ if the length was rounded.

    Returns:
        shape (N, C, *size). Nearest elements keep the dtype of ``x``; the other modes return
        floating point.

    Raises:
        ShapeError: ``x`` has another number of axes, or the input or output is empty.
        ArgumentError: ``mode`` is unknown or does not fit the axes of ``x``, or an argument is
            missing, superfluous or out of range.
    """
    x = as_variable(x)
    sizes, scales = output_sizes(x.shape, size, scale_factor)
    if recompute_scale_factor is not None:  # PyTorch's default
        require_bool("interpolate", "recompute_scale_factor", recompute_scale_factor)
    if recompute_scale_factor:
        scales = [n / m for n, m in zip(x.shape[2:], sizes, strict=True)]
    require_mode(mode, len(sizes), align_corners)
    if mode == "area":
        return call_widened(lambda x: adaptive_avg_pool("interpolate", len(sizes), x, sizes), x)
    if mode.startswith("nearest"):
        return nearest(x, sizes, scales, 0.5 if mode == "nearest-exact" else 0.0)
    weights = cubic_weights if mode == "bicubic" else linear_weights
    return call_widened(lambda x: by_weights(weights, x, sizes, scales, align_corners or False), x)


def output_sizes(
    shape: Shape, size: Sizes | None, scale_factor: float | Sequence[float] | None
) -> tuple[Shape, list[float]]:
    """Return the size of the output, and the distance between outputs in elements of the input."""
    n, lengths = len(shape) - 2, shape[2:]
    if n not in AXES or 0 in lengths:
        raise ShapeError(
            f"interpolate: x {tuple(shape)}: expected (N, C, L), (N, C, H, W) or (N, C, D, H, W), "
            "with elements"
        )
    if (size is None) == (scale_factor is None):
        given = "neither" if size is None else "both"
        raise ArgumentError(f"interpolate: {given} of size and scale_factor: expected one of them")
    if scale_factor is None:
        sizes = per_axis(n, size, "interpolate: size")
        scales = [length / m for length, m in zip(lengths, sizes, strict=True) if m > 0]
    else:
        listed = tuple(scale_factor) if is_sequence(scale_factor) else (scale_factor,) * n
        factors = [as_number("interpolate", "scale_factor", factor) for factor in listed]
        if len(factors) != n or not all(0 < f * max(lengths) < math.inf for f in factors):
            raise ArgumentError(
                f"interpolate: scale_factor {scale_factor}: expected a positive finite number, "
                f"or {n}"
            )
        sizes = tuple([int(length * f) for length, f in zip(lengths, factors, strict=True)])
        scales = [1 / factor for factor in factors]
    if min(sizes) < 1 or max(sizes) >= 2**31:
        raise ShapeError(
            f"interpolate: x {tuple(shape)} to {sizes}: expected at least one element, and less "
            "than 2**31 along each axis"
        )
    return sizes, scales


MODES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
"""The number of axes of each mode of `interpolate` that has ``align_corners``."""


def require_mode(mode: str, n: int, align_corners: bool | None) -> None:
    """Raise `ArgumentError` unless ``mode`` is known, and fits ``n`` axes and ``align_corners``."""
    if align_corners is not None:
        require_bool("interpolate", "align_corners", align_corners)
    if isinstance(mode, str) and mode in ("nearest", "nearest-exact", "area"):
        if align_corners is not None:
            raise ArgumentError(
                f"interpolate: align_corners {align_corners} with mode {mode!r}: leave it out, or "
                f"take one of the modes {', '.join(MODES)}"
            )
    elif not isinstance(mode, str) or MODES.get(mode) != n:
        fitting = [name for name, axes in MODES.items() if axes == n]
        raise ArgumentError(
            f"interpolate: mode {mode!r} for x with the axes (N, C, {AXES[n]}): expected nearest, "
            f"nearest-exact, area, {' or '.join(fitting)}"
        )


def nearest(x: Variable, sizes: Shape, scales: Sequence[float], shift: float) -> Variable:
    """Return the elements at ``floor((i + shift) scale)`` along each axis, the last axis first."""
    for axis, m, scale in reversed(list(zip(range(2, x.ndim), sizes, scales, strict=True))):
        n = x.shape[axis]
        if m % n == 0 and round(m * scale, 9) == n:  # every element is repeated m / n times
            x = repeat(x, m // n, axis)
        else:
            # rounded, because i * (n / m) can be slightly less than an integer i * n / m
            index = [min(math.floor(round((i + shift) * scale, 9)), n - 1) for i in range(m)]
            x = at_positions(x, axis, index)
    return x


def by_weights(
    weights: Weights, x: Operand, sizes: Shape, scales: Sequence[float], align_corners: bool
) -> Variable:
    """Multiply each axis by the matrix of its interpolation weights; see `interpolate`."""
    x = as_variable(x)
    backend = backend_of(x.data)
    wide = backend.dtype("float64") if "float64" in backend.capabilities else x.dtype
    for axis, (m, scale) in enumerate(zip(sizes, scales, strict=True), 2):
        n = x.shape[axis]
        i = cast(backend.arange(m, x.data), wide)
        if align_corners:
            position = i * ((n - 1) / max(m - 1, 1))
        else:
            position = (i + 0.5) * scale - 0.5
        matrix = weights(backend.xp, position[:, None], cast(backend.arange(n, x.data), wide))
        x = times_matrix(x, axis, cast(matrix, x.dtype))
    return x


def linear_weights(xp: Any, position: Array, element: Array) -> Array:
    """Return the weights of ``element`` in linear interpolation at ``position``."""
    inside = xp.clip(position, 0, element.shape[0] - 1)
    return xp.clip(1 - xp.abs(inside - element), 0, None)


def cubic_weights(xp: Any, position: Array, element: Array) -> Array:
    """Return the weights of ``element`` in cubic convolution at ``position``, with a = -0.75.

    Of the four neighbours, those outside of the axis are replaced by its first or last element.
    """
    a, below = -0.75, xp.floor(position)
    total = 0.0 * (position - element)
    for tap in (-1, 0, 1, 2):
        d = xp.abs(position - below - tap)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        is_tap = xp.clip(below + tap, 0, element.shape[0] - 1) == element
        total = total + cast(is_tap, position.dtype) * (near if tap in (0, 1) else far)
    return total


@hinted
def pixel_shuffle(x: Operand, upscale_factor: int) -> Variable:
    """Move channels to space: (..., C r**2, H, W) becomes (..., C, H r, W r).

    Shi et al., "Real-Time Single Image and Video Super-Resolution", 2016; the order of the channels
    is that of ``torch.nn.functional.pixel_shuffle``.

    Args:
        x: images, with at least three axes.
        upscale_factor: r, an integer of at least 1.

    Raises:
        ShapeError: ``x`` has fewer than three axes, or r**2 does not divide its channels.
    """
    x, r = as_variable(x), as_integer("pixel_shuffle", "upscale_factor", upscale_factor, 1)
    if x.ndim < 3 or x.shape[-3] % r**2:
        raise ShapeError(
            f"pixel_shuffle: x {x.shape}, upscale_factor {r}: expected (..., C * {r**2}, H, W)"
        )
    *lead, C, H, W = x.shape
    y = reshape(x, (-1 if x.size else 0, r, r, H, W))
    return reshape(transpose(y, (0, 3, 1, 4, 2)), (*lead, C // r**2, H * r, W * r))


@hinted
def pixel_unshuffle(x: Operand, downscale_factor: int) -> Variable:
    """Move space to channels: (..., C, H r, W r) becomes (..., C r**2, H, W).

    The inverse of `pixel_shuffle`.

    Args:
        x: images, with at least three axes.
        downscale_factor: r, an integer of at least 1.

    Raises:
        ShapeError: ``x`` has fewer than three axes, or r does not divide its last two axes.
    """
    x, r = as_variable(x), as_integer("pixel_unshuffle", "downscale_factor", downscale_factor, 1)
    if x.ndim < 3 or x.shape[-2] % r or x.shape[-1] % r:
        raise ShapeError(
            f"pixel_unshuffle: x {x.shape}, downscale_factor {r}: expected (..., C, {r} H, {r} W)"
        )
    *lead, C, H, W = x.shape
    y = reshape(x, (-1 if x.size else 0, H // r, r, W // r, r))
    return reshape(transpose(y, (0, 2, 4, 1, 3)), (*lead, C * r**2, H // r, W // r))
