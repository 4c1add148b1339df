"""Launch the kernels of ``norms.cu``: layer and RMS normalisation over the last axes."""

from __future__ import annotations

import math

import cupy

from .layouts import Array, contiguous
from .module import NULL, launch_rows
from .sums import sums_of_columns


def sizes_of(x: Array, axes: int) -> tuple[int, int]:
    """Return the number of examples, and the number of elements of an example."""
    split = x.ndim - axes
    return math.prod(x.shape[:split]), math.prod(x.shape[split:])


def statistics(x: Array, axes: int) -> Array:
    """Return an uninitialized array with one number for each example."""
    return cupy.empty((*x.shape[: x.ndim - axes], *(1,) * axes), x.dtype)


def array_or_null(x: Array | None) -> Array:
    """Return an array in C order, or a null pointer for None."""
    return NULL if x is None else contiguous(x)


def layer_norm(
    x: Array, gamma: Array | None, beta: Array | None, axes: int, eps: float
) -> tuple[Array, Array, Array]:
    """Return the normalised examples, their means, and their inverse standard deviations."""
    x = contiguous(x)
    y, mean, inverse = cupy.empty(x.shape, x.dtype), statistics(x, axes), statistics(x, axes)
    arrays = x, array_or_null(gamma), array_or_null(beta), y, mean, inverse
    launch_rows("layer_norm", x.dtype.char, *sizes_of(x, axes), *arrays, x.dtype.type(eps))
    return y, mean, inverse


def rms_norm(x: Array, gamma: Array | None, axes: int, eps: float) -> tuple[Array, Array]:
    """Return the normalised examples, and their inverse root mean squares."""
    x = contiguous(x)
    y, inverse = cupy.empty(x.shape, x.dtype), statistics(x, axes)
    arrays = x, array_or_null(gamma), y, inverse
    launch_rows("rms_norm", x.dtype.char, *sizes_of(x, axes), *arrays, x.dtype.type(eps))
    return y, inverse


def layer_norm_grad(
    gy: Array, x: Array, gamma: Array | None, mean: Array, inverse: Array, axes: int
) -> tuple[Array, Array | None, Array]:
    """Return the gradients of x, gamma (None if gamma is None) and beta."""
    return gradients(gy, x, gamma, mean, inverse, axes)


def rms_norm_grad(
    gy: Array, x: Array, gamma: Array | None, inverse: Array, axes: int
) -> tuple[Array, Array | None]:
    """Return the gradients of x and gamma (None if gamma is None)."""
    return gradients(gy, x, gamma, None, inverse, axes)[:2]


def gradients(
    gy: Array, x: Array, gamma: Array | None, mean: Array | None, inverse: Array, axes: int
) -> tuple[Array, Array | None, Array]:
    """Return the gradients of x, gamma and beta; ``mean`` is None for `rms_norm`."""
    gy, x, inverse = contiguous(gy), contiguous(x), contiguous(inverse)
    gx, (rows, size) = cupy.empty(x.shape, x.dtype), sizes_of(x, axes)
    means = array_or_null(mean)
    launch_rows(
        "norm_grad", x.dtype.char, rows, size, gy, x, array_or_null(gamma), means, inverse, gx
    )
    gbeta, ggamma = [
        y if axes == 1 else y.reshape(x.shape[x.ndim - axes :])
        for y in sums_of_columns("norm_sums", 2, rows, size, gy, x, means, inverse)
    ]
    return gx, None if gamma is None else ggamma, gbeta
