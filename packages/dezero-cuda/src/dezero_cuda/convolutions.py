"""Compute convolutions and their gradients by cuDNN.

Shapes are always (N, C, H, W). In TF32, bfloat16 and float16 the memory order is (N, H, W, C),
which was 1.5 to 2.7 times as fast as (N, C, H, W) on an H200. In float32 the memory order is
(N, C, H, W), which was 1.1 to 1.25 times as fast as the other (measured with cuDNN 9.19). With
`dezero.precision("bf16")`, float32 inputs and results are rounded to bfloat16, and cuDNN adds in
float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import cupy

from dezero_core import Config
from dezero_core.extend import ops

from .graphs import BIAS, Convolution, W, X, Y
from .kernels.layouts import contiguous, new_images, with_layout
from .kernels.rounding import from_bfloat16, to_bfloat16
from .kernels.windows import window_counts
from .plans import Plan, plan_for

Array: TypeAlias = cupy.ndarray
Shape = tuple[int, ...]
Pair = tuple[int, int]
Params: TypeAlias = Any
"""A `dezero_nn.windows.ConvParams`; this package does not import dezero-nn."""

DATA_TYPES = {"f": "FLOAT", "e": "HALF"}


@lru_cache(4096)
def description(
    part: str, x: Shape, filters: Shape, params: Params, has_bias: bool, letter: str, precision: str
) -> Convolution:
    """Return the description of one convolution; ``letter`` is the dtype character."""
    stride, pad, dilation, _ = params
    y = x[0], filters[0], *window_counts(x, (filters[2], filters[3]), stride, pad, dilation)
    is_rounded = letter == "f" and precision == "bf16"
    data_type = "BFLOAT16" if is_rounded else DATA_TYPES[letter]
    channels_last = letter == "e" or precision != "float32"
    return Convolution(
        part, x, filters, y, stride, pad, dilation, has_bias, data_type, channels_last
    )


def describe(
    part: str, x: Sequence[int], filters: Sequence[int], params: Params, like: Array,
    has_bias: bool = False,
) -> Convolution:  # fmt: skip
    """Return the description of a convolution of arrays with the dtype of ``like``."""
    settings = has_bias, like.dtype.char, Config.float32_precision
    return description(part, tuple(x), tuple(filters), params, *settings)


def has_plan(part: str, x: Any, filters: Any, params: Params, *arrays: Array | None) -> bool | str:
    """Return whether cuDNN has a plan for a convolution of these arrays, or why not."""
    first = arrays[0]
    assert first is not None
    if first.dtype.char not in DATA_TYPES or any(
        a is not None and a.dtype != first.dtype for a in arrays
    ):
        return "the arrays are not all float32 or all float16"
    if not all(a is None or a.size for a in arrays) or 0 in x:
        return "an array is empty"
    plan = plan_for(describe(part, x, filters, params, first))
    return plan if isinstance(plan, str) else True


def run(call: Convolution, arrays: dict[int, Array], result: int, shape: Shape) -> Array:
    """Run a convolution on arrays by their numbers, and return the result."""
    last, is_rounded = call.channels_last, call.data_type == "BFLOAT16"
    inputs = {n: contiguous(a) if n == BIAS else with_layout(a, last) for n, a in arrays.items()}
    if is_rounded:
        inputs = {n: to_bfloat16(a) for n, a in inputs.items()}
    y = new_images(shape, next(iter(inputs.values())).dtype, last)
    plan = plan_for(call)
    assert isinstance(plan, Plan)
    plan({**inputs, result: y})
    return from_bfloat16(y) if is_rounded else y


def supports_conv2d(x: Array, filters: Array, b: Array | None, params: Params) -> bool | str:
    """Return whether cuDNN can compute the output, or why not."""
    return has_plan("y", x.shape, filters.shape, params, x, filters, b)


def conv2d(x: Array, filters: Array, b: Array | None, params: Params) -> Array:
    """Return the convolution; if cuDNN has a plan with the bias, one kernel computes both."""
    call = describe("y", x.shape, filters.shape, params, x, b is not None)
    if b is not None and isinstance(plan_for(call), str):
        y = run(call._replace(has_bias=False), {X: x, W: filters}, Y, call.y)
        y += b.reshape(-1, 1, 1)
        return y
    bias = {} if b is None else {BIAS: b}
    return run(call, {X: x, W: filters, **bias}, Y, call.y)


def supports_conv2d_grad_x(gy: Array, filters: Array, shape: Shape, params: Params) -> bool | str:
    """Return whether cuDNN can compute the gradient of the images, or why not."""
    return has_plan("x", shape, filters.shape, params, gy, filters)


def conv2d_grad_x(gy: Array, filters: Array, shape: Shape, params: Params) -> Array:
    """Return the gradient of the images."""
    call = describe("x", shape, filters.shape, params, gy)
    return run(call, {Y: gy, W: filters}, X, call.x)


def filters_shape(x: Array, gy: Array, kernel: Pair, params: Params) -> Shape:
    """Return the shape of the filters of the convolution that maps ``x`` to the shape of ``gy``."""
    return gy.shape[1], x.shape[1] // params.groups, *kernel


def supports_conv2d_grad_W(x: Array, gy: Array, kernel: Pair, params: Params) -> bool | str:
    """Return whether cuDNN can compute the gradient of the filters, or why not."""
    return has_plan("W", x.shape, filters_shape(x, gy, kernel, params), params, x, gy)


def conv2d_grad_W(x: Array, gy: Array, kernel: Pair, params: Params) -> Array:
    """Return the gradient of the filters in C order, the memory order of parameters."""
    call = describe("W", x.shape, filters_shape(x, gy, kernel, params), params, x)
    return with_layout(run(call, {X: x, Y: gy}, W, call.W), False)


def supports_conv2d_grads(gy: Array, x: Array, filters: Array, params: Params) -> bool | str:
    """Return whether cuDNN can compute the gradients of images and filters, or why not."""
    answer = supports_conv2d_grad_x(gy, filters, x.shape, params)
    if answer is True:
        answer = supports_conv2d_grad_W(x, gy, filters.shape[2:], params)
    return answer


def conv2d_grads(gy: Array, x: Array, filters: Array, params: Params) -> tuple[Array, Array, Array]:
    """Return the gradients of images, filters and bias; ``gy`` is converted only once."""
    gy = with_layout(gy, describe("x", x.shape, filters.shape, params, gy).channels_last)
    gx = conv2d_grad_x(gy, filters, x.shape, params)
    gW = conv2d_grad_W(x, gy, filters.shape[2:], params)
    return gx, gW, ops["channel_sum"](gy)
