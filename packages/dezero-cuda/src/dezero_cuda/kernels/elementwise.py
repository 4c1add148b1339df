"""Launch the kernels of ``elementwise.cu`` on arrays of any dense memory order."""

from __future__ import annotations

from functools import partial

from numpy import int64

from .layouts import Array, as_dense, empty_like, in_order_of
from .module import NULL, PACK_BYTES, launch


def map_unary(name: str, x: Array) -> Array:
    """Launch a kernel with one input; the result has the memory order of ``x``."""
    x = as_dense(x)
    y = empty_like(x)
    launch(name, x.dtype.char, x.size, x, y, width=PACK_BYTES // x.dtype.itemsize)
    return y


sigmoid = partial(map_unary, "sigmoid")
relu = partial(map_unary, "relu")


def map_binary(name: str, gy: Array, y: Array) -> Array:
    """Launch a kernel with two inputs; the result has the memory order of ``y``."""
    y = as_dense(y)
    gy, gx = in_order_of(y, gy), empty_like(y)
    launch(name, y.dtype.char, y.size, gy, y, gx, width=PACK_BYTES // y.dtype.itemsize)
    return gx


sigmoid_grad = partial(map_binary, "sigmoid_grad")
tanh_grad = partial(map_binary, "tanh_grad")
relu_grad = partial(map_binary, "relu_grad")


def add_relu(x0: Array, x1: Array) -> Array:
    """Return relu(x0 + x1) in the memory order of ``x0``."""
    return map_binary("add_relu", x1, x0)


def scaled_where(x: Array, mask: Array, scale: float) -> Array:
    """Return ``x`` times ``scale`` where the mask is true, else 0."""
    x = as_dense(x)
    mask, y = in_order_of(x, mask), empty_like(x)
    width = PACK_BYTES // x.dtype.itemsize
    launch("scaled_where", x.dtype.char, x.size, x, mask, y, x.dtype.type(scale), width=width)
    return y


def silu(x: Array, needs_derivative: bool, name: str = "silu") -> tuple[Array, Array | None]:
    """Launch the activation ``name``; return its result, and its derivative or None."""
    x = as_dense(x)
    y, derivative = empty_like(x), empty_like(x) if needs_derivative else None
    launch(name, x.dtype.char, x.size, x, y, NULL if derivative is None else derivative)
    return y, derivative


def gelu(x: Array, approximate: str, needs_derivative: bool) -> tuple[Array, Array | None]:
    """Return gelu of ``x``, and the derivative or None, in the memory order of ``x``."""
    return silu(x, needs_derivative, "gelu" if approximate == "none" else "gelu_tanh")


def iadd(x: Array, y: Array) -> bool:
    """Add ``y`` to ``x`` in place if a kernel can do so; return whether one did.

    A kernel runs only if both arrays are in C order, and ``y`` has the shape of ``x``, or is a row
    (C,) that is added to every row of ``x`` (..., C).
    """
    letter = x.dtype.char
    if letter not in "fd" or y.dtype != x.dtype or not x.flags.c_contiguous:
        return False
    if not y.flags.c_contiguous or x is y:
        return False
    width = PACK_BYTES // x.dtype.itemsize
    if x.shape == y.shape:
        launch("add_to", letter, x.size, x, y, width=width)
    elif y.ndim == 1 and x.ndim > 1 and x.shape[-1:] == y.shape:
        launch("add_bias", letter, x.size, x, y, int64(y.size), width=width)
    else:
        return False
    return True
