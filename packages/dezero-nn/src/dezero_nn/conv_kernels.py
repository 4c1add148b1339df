"""Create the kernels of the four convolution ops from one algorithm.

The ops are ``conv2d``, ``conv2d_grad_x``, ``conv2d_grad_W`` and ``conv2d_grads``, which computes
the gradients of input, weight and bias at once. The ops have different arguments. Whether an
algorithm supports a call, and the estimated cost of the call, depend only on the shapes.
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
"""Maximum relative error in float32; algorithms add the terms of a sum in different orders."""


class Algorithm(NamedTuple):
    """An algorithm that computes convolutions of NumPy arrays.

    Attributes:
        dtypes: the type characters of the supported dtypes, such as ``"fd"``.
        supports: a function of the parts and shapes of a call. The parts are ``"y"`` (the output),
            ``"x"`` (the input gradient), ``"W"`` (the weight gradient) or ``"xW"`` (both
            gradients). The function returns True, or the reason why the algorithm does not support
            the call.
        cost: a function of one part (``"y"``, ``"x"`` or ``"W"``) and the shapes. The function
            returns the estimated time on one core in nanoseconds.
        is_allowed: a function that returns True, or the reason why a setting turns the algorithm
            off. The function is called before each convolution. Default: always True.
    """

    dtypes: str
    supports: Callable[[str, ConvShapes], bool | str]
    cost: Callable[[str, ConvShapes], float]
    is_allowed: Callable[[], bool | str] = lambda: True


def shapes_of_y(x: Array, W: Array, b: Array | None, params: ConvParams) -> ConvShapes:
    """Return the shapes in a call of ``conv2d``."""
    return ConvShapes(x.shape, W.shape, params)


def shapes_of_x(gy: Array, W: Array, shape: Shape, params: ConvParams) -> ConvShapes:
    """Return the shapes in a call of ``conv2d_grad_x``."""
    return ConvShapes(tuple(shape), W.shape, params)


def shapes_of_W(x: Array, gy: Array, kernel: Pair, params: ConvParams) -> ConvShapes:
    """Return the shapes in a call of ``conv2d_grad_W``."""
    W = gy.shape[1], x.shape[1] // params.groups, *kernel
    return ConvShapes(x.shape, W, params)


def shapes_of_grads(gy: Array, x: Array, W: Array, params: ConvParams) -> ConvShapes:
    """Return the shapes in a call of ``conv2d_grads``."""
    return ConvShapes(x.shape, W.shape, params)


OPS: dict[str, tuple[str, Callable[..., ConvShapes]]] = {
    "conv2d": ("y", shapes_of_y),
    "conv2d_grad_x": ("x", shapes_of_x),
    "conv2d_grad_W": ("W", shapes_of_W),
    "conv2d_grads": ("xW", shapes_of_grads),
}
"""A dictionary from each op to the parts it computes, and a function that returns the shapes."""


def conv_kernels(algorithm: Algorithm, *functions: Callable[..., Any]) -> list[Kernel]:
    """Return one kernel for each op in `OPS`; ``functions`` are in the same order as `OPS`."""
    supports = lru_cache(1024)(algorithm.supports)
    return [
        conv_kernel(op, function, algorithm, supports)
        for op, function in zip(OPS, functions, strict=True)
    ]


def conv_kernel(
    op: str, function: Callable[..., Any], algorithm: Algorithm,
    supports_shapes: Callable[[str, ConvShapes], bool | str],
) -> Kernel:  # fmt: skip
    """Return the kernel of one op, with dtype checks and cost from ``algorithm``."""
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
