"""Check the parameters of sliding windows, and count the windows that fit into images."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from dezero_core.arguments import MAX, as_integers, is_sequence
from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError

Pair = tuple[int, int]
Shape = tuple[int, ...]


def pair(x: Any, name: str = "pair", least: int | None = None) -> Pair:
    """Return ``x`` as (height, width); a single integer is used for both (book step 57).

    Args:
        x: an integer, or a list, tuple or array of two integers.
        name: the names of the op and its parameter, for the error message.
        least: the smallest value allowed; None (default) for no limit.

    Raises:
        ArgumentTypeError: ``x`` is neither an integer nor two integers.
        ArgumentError: an integer is below ``least``.
    """
    try:
        if type(x) is int and abs(x) <= MAX:
            height = width = x
        else:
            height, width = as_integers(*name_parts(name), x if is_sequence(x) else (x, x))
    except (TypeError, ValueError) as error:
        raise_if_out_of_range(error)
        raise ArgumentTypeError(
            f"{name} {x!r} is neither an integer nor a pair (height, width) of integers"
        ) from None
    if least is not None and (height < least or width < least):
        raise ArgumentError(f"{name} {x!r} is below {least}")
    return height, width


def per_axis(n: int, x: Any, name: str, least: int | None = None) -> tuple[int, ...]:
    """Return ``x`` as a tuple of ``n`` integers; a single integer is used for every axis.

    Args:
        n: the number of axes.
        x: an integer, or a list, tuple or array of ``n`` integers (or of one).
        name, least: as for `pair`.

    Raises:
        ArgumentTypeError: ``x`` is neither an integer nor ``n`` integers.
        ArgumentError: an integer is below ``least``.
    """
    if n == 2:
        return pair(x, name, least)
    try:
        values = as_integers(*name_parts(name), x)
    except (TypeError, ValueError) as error:
        raise_if_out_of_range(error)
        values = ()
    values = values * n if len(values) == 1 else values
    if len(values) != n:
        wanted = "not an integer" if n == 1 else f"neither an integer nor {n} integers"
        raise ArgumentTypeError(f"{name} {x!r} is {wanted}")
    if least is not None and min(values) < least:
        raise ArgumentError(f"{name} {x!r} is below {least}")
    return values


def name_parts(name: str) -> tuple[str, str]:
    """Return the names of an op and of its parameter, which ``name`` joins by a colon."""
    op, _, parameter = name.partition(": ")
    return op, parameter


def raise_if_out_of_range(error: Exception) -> None:
    """Raise ``error`` if it is about an integer that is too large for an array."""
    if type(error) is ArgumentError:
        raise error


def window_settings(
    op: str, kernel_size: int | Pair, stride: int | Pair, pad: int | Pair
) -> tuple[Pair, Pair, Pair]:
    """Return kernel size, stride and padding as pairs; see `pair`."""
    return (
        pair(kernel_size, f"{op}: kernel_size", 1),
        pair(stride, f"{op}: stride", 1),
        pair(pad, f"{op}: pad", 0),
    )


DENSE: Pair = (1, 1)
"""A stride or dilation of 1 along both axes."""


class ConvParams(NamedTuple):
    """Parameters of a convolution.

    Attributes:
        stride: the distances (vertical, horizontal) between adjacent windows.
        pad: the numbers of zeros added on each side (top and bottom, left and right).
        dilation: the distances (vertical, horizontal) between adjacent kernel positions.
        groups: the number of equal groups of channels, each convolved with its own filters.
    """

    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = DENSE
    groups: int = 1


def padding_of(
    op: str, n: int, padding: Any, kernel: Shape, stride: Shape, dilation: Shape
) -> tuple[Shape, Shape]:
    """Return the zeros on each side, and how many outputs to drop at the start of each axis."""
    if not isinstance(padding, str):
        return per_axis(n, padding, f"{op}: padding", 0), (0,) * n
    if padding not in ("same", "valid"):
        raise ArgumentError(f"{op}: padding {padding!r}: expected integers, 'same' or 'valid'")
    if padding == "same" and set(stride) != {1}:
        raise ArgumentError(
            f"{op}: padding 'same' with stride {stride}: expected stride 1; write padding as "
            "integers"
        )
    needed = padding == "same"
    totals = [d * (k - 1) * needed for d, k in zip(dilation, kernel, strict=True)]
    return tuple(-(-total // 2) for total in totals), tuple(total % 2 for total in totals)


def get_conv_outsize(
    input_size: int, kernel_size: int, stride: int, pad: int, dilation: int = 1
) -> int:
    """Return the number of windows that fit along one axis (book step 55).

    Args:
        input_size: the length of the axis.
        kernel_size: the length of the window, in kernel positions.
        stride: the distance between adjacent windows.
        pad: the number of elements added on each side.
        dilation: the distance between adjacent kernel positions. Default 1.

    Raises:
        ArgumentError: ``kernel_size``, ``stride`` or ``dilation`` is below 1, or ``pad`` below 0.
    """
    require_settings(kernel_size, stride, pad, dilation)
    return (input_size + 2 * pad - dilation * (kernel_size - 1) - 1) // stride + 1


def get_deconv_outsize(
    input_size: int, kernel_size: int, stride: int, pad: int, dilation: int = 1
) -> int:
    """Return the length of the shortest axis into which ``input_size`` windows fit.

    This function is the inverse of `get_conv_outsize`.

    Args:
        input_size: the number of windows.
        kernel_size, stride, pad, dilation: as for `get_conv_outsize`.

    Raises:
        ArgumentError: as for `get_conv_outsize`.
    """
    require_settings(kernel_size, stride, pad, dilation)
    return stride * (input_size - 1) + dilation * (kernel_size - 1) + 1 - 2 * pad


def require_settings(kernel_size: int, stride: int, pad: int, dilation: int) -> None:
    """Raise `ArgumentError` if a parameter of windows is out of range."""
    if min(kernel_size, stride, dilation) < 1 or pad < 0:
        raise ArgumentError(
            f"kernel_size {kernel_size}, stride {stride}, pad {pad}, dilation {dilation}: "
            "kernel_size, stride and dilation start at 1, pad at 0"
        )


def window_counts_along(
    op: str, size: Shape, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape
) -> Shape:
    """Return how many windows fit along each axis; raise `ShapeError` if there are none."""
    each = zip(size, kernel, stride, pad, dilation, strict=True)
    counts = tuple(get_conv_outsize(*axis) for axis in each)
    if min(counts) < 1:
        raise ShapeError(
            f"{op}: a kernel of {kernel} with dilation {dilation} does not fit into {size} with "
            f"padding {pad}; take a smaller kernel or more padding"
        )
    return counts


@lru_cache(4096)  # cached, because every training step has the same shapes
def window_counts(
    shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = DENSE,
    op: str = "windows",
) -> Pair:  # fmt: skip
    """Return the numbers of windows that fit into images (N, C, H, W): (rows, columns).

    ``op`` is the name of the op, for error messages.

    Raises:
        ShapeError: the shape does not have four axes, or no window fits.
        ArgumentError: as for `get_conv_outsize`.
    """
    if len(shape) != 4:
        raise ShapeError(f"{op}: images have the shape (N, C, H, W), got {tuple(shape)}")
    sizes = zip(shape[2:], kernel, stride, pad, dilation, strict=True)
    down, across = (get_conv_outsize(*size) for size in sizes)
    if down < 1 or across < 1:
        raise ShapeError(
            f"{op}: a kernel of {kernel} does not fit into an image of {tuple(shape[2:])} with "
            f"pad {pad} and dilation {dilation}; take a smaller kernel or more padding"
        )
    return down, across


class ConvShapes(NamedTuple):
    """Shapes of images (N, C, H, W) and filters (OC, C / groups, KH, KW), and `ConvParams`."""

    x: Shape
    W: Shape
    params: ConvParams

    @property
    def kernel(self) -> Pair:
        """Return the size (KH, KW) of the filters."""
        return self.W[2], self.W[3]

    @property
    def counts(self) -> Pair:
        """Return the size (OH, OW) of the output."""
        stride, pad, dilation, _ = self.params
        return window_counts(self.x, self.kernel, stride, pad, dilation)

    @property
    def positions(self) -> int:
        """Return the number of output positions of the batch, N * OH * OW."""
        return self.x[0] * self.counts[0] * self.counts[1]

    @property
    def multiply_adds(self) -> int:
        """Return the multiply-adds of the convolution; each of its two gradients takes as many."""
        OC, C, KH, KW = self.W
        return self.positions * OC * C * KH * KW


def element_of_windows(
    i: int, j: int, stride: Pair, counts: Pair, dilation: Pair = DENSE
) -> tuple[Any, slice, slice]:
    """Return the index that selects element (i, j) of every window in padded images (..., H, W)."""
    (SH, SW), (OH, OW), (i, j) = stride, counts, (i * dilation[0], j * dilation[1])
    return ..., slice(i, i + SH * (OH - 1) + 1, SH), slice(j, j + SW * (OW - 1) + 1, SW)
