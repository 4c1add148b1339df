"""Offer one algorithm as kernels of the four ops of a convolution.

The ops are ``conv2d``, ``conv2d_grad_x``, ``conv2d_grad_W`` and ``conv2d_grads``, which computes
both gradients and that of the bias. They take different arguments; an algorithm states what it
supports and what it costs in terms of the shapes only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from dezero_core.extend import Array, Kernel

from .windows import ConvParams, ConvShapes, Pair, Shape

NumPyArray = np.ndarray[Any, Any]
"""A NumPy array of any shape and dtype."""

TOLERANCE = 3e-5
"""The largest relative error in float32: convolutions are long sums, in different orders."""


class Algorithm(NamedTuple):
    """An algorithm that computes convolutions of NumPy arrays.

    Attributes:
        dtypes: the letters of the dtypes that it computes, such as ``"fd"``.
        supports: called with the parts of an op and its shapes. The parts are ``"y"``, ``"x"``,
            ``"W"`` or ``"xW"``: the output, the gradients of images and of filters, or both
            gradients. Returns True, or a string that says why not.
        cost: called with ``"y"``, ``"x"`` or ``"W"`` and the shapes; returns the estimated
            nanoseconds of one core.
        is_allowed: called for each call; returns True, or a string that says why the algorithm
            is off now. Default: always True.
    """

    dtypes: str
    supports: Callable[[str, ConvShapes], bool | str]
    cost: Callable[[str, ConvShapes], float]
    is_allowed: Callable[[], bool | str] = lambda: True


def shapes_of_y(x: Array, W: Array, b: Array | None, params: ConvParams) -> ConvShapes:
    """Return the shapes of a call of ``conv2d``."""
    return ConvShapes(x.shape, W.shape, params)


def shapes_of_x(gy: Array, W: Array, shape: Shape, params: ConvParams) -> ConvShapes:
    """Return the shapes of a call of ``conv2d_grad_x``."""
    return ConvShapes(tuple(shape), W.shape, params)


def shapes_of_W(x: Array, gy: Array, kernel: Pair, params: ConvParams) -> ConvShapes:
    """Return the shapes of a call of ``conv2d_grad_W``."""
    W = gy.shape[1], x.shape[1] // params.groups, *kernel
    return ConvShapes(x.shape, W, params)


def shapes_of_grads(gy: Array, x: Array, W: Array, params: ConvParams) -> ConvShapes:
    """Return the shapes of a call of ``conv2d_grads``."""
    return ConvShapes(x.shape, W.shape, params)


OPS: dict[str, tuple[str, Callable[..., ConvShapes]]] = {
    "conv2d": ("y", shapes_of_y),
    "conv2d_grad_x": ("x", shapes_of_x),
    "conv2d_grad_W": ("W", shapes_of_W),
    "conv2d_grads": ("xW", shapes_of_grads),
}
"""The parts that each op computes, and how to read the shapes from its arguments."""


def conv_kernels(algorithm: Algorithm, *functions: Callable[..., Any]) -> list[Kernel]:
    """Return kernels of ``conv2d``, ``conv2d_grad_x``, ``conv2d_grad_W`` and ``conv2d_grads``."""
    supports = lru_cache(1024)(algorithm.supports)
    return [
        conv_kernel(op, function, algorithm, supports)
        for op, function in zip(OPS, functions, strict=True)
    ]


def conv_kernel(
    op: str, function: Callable[..., Any], algorithm: Algorithm,
    supports_shapes: Callable[[str, ConvShapes], bool | str],
) -> Kernel:  # fmt: skip
    """Return the kernel of one op."""
    parts, shapes_of = OPS[op]

    def supports(*arguments: Any) -> bool | str:
        dtype = arguments[0].dtype
        if dtype.char not in algorithm.dtypes or not dtype.isnative:
            return f"the dtype is not one of {algorithm.dtypes!r} in native byte order"
        for x in arguments:
            if isinstance(x, np.ndarray):
                if x.dtype != dtype:
                    return "the arrays have different dtypes"
                if x.size == 0 or type(x) is not np.ndarray:
                    return "an array is empty, or of a subclass of ndarray"
        allowed = algorithm.is_allowed()
        return supports_shapes(parts, shapes_of(*arguments)) if allowed is True else allowed

    def cost(*arguments: Any) -> float:
        shapes = shapes_of(*arguments)
        if supports_shapes(parts, shapes) is not True:
            return np.inf
        return sum(algorithm.cost(part, shapes) for part in parts)

    return Kernel(op, "numpy", function, supports, TOLERANCE, cost=cost)
