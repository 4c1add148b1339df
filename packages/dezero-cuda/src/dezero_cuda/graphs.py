"""Describe what cuDNN computes, and record the descriptions as graphs of cudnn-frontend.

This module neither imports CuPy nor needs a device. cuDNN always takes shapes in the order
(N, C, H, W); the strides define the memory order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Shape = tuple[int, ...]
Pair = tuple[int, int]

NONDETERMINISTIC = ("NONDETERMINISTIC", "REDUCED_PRECISION_REDUCTION")
STRICT = ("TENSOR_CORE", "DOWN_CONVERT_INPUTS")
INEXACT = ("WINOGRAD", "WINOGRAD_TILE_4x4", "WINOGRAD_TILE_6x6", "WINOGRAD_TILE_13x13", "FFT")
"""Numerical notes of excluded engines: `NONDETERMINISTIC` in every precision, `STRICT` in float32,
and `INEXACT` in float32 and TF32 with `dezero.precision("exact")`."""

X, W, Y, BIAS = 1, 2, 3, 4
"""The numbers of the tensors of a convolution: images, filters, outputs and bias."""


NODES = {
    "y": ("conv_fprop", {"image": X, "weight": W}, Y),
    "x": ("conv_dgrad", {"loss": Y, "filter": W}, X),
    "W": ("conv_wgrad", {"image": X, "loss": Y}, W),
}
"""A dictionary from the parts of a `Convolution` to cuDNN's node, its inputs and its result."""


def strides(shape: Shape, channels_last: bool) -> list[int]:
    """Return the strides, in elements, of dense images (N, C, H, W) in one of two memory orders."""
    _, C, H, Wd = shape
    return [C * H * Wd, 1, Wd * C, C] if channels_last else [C * H * Wd, H * Wd, Wd, 1]


class Convolution(NamedTuple):
    """Describe a convolution, or one of its gradients.

    Attributes:
        part: ``"y"`` for the output, ``"x"`` for the gradient of the images, ``"W"`` for the
            gradient of the filters.
        x, W, y: the shapes of images, filters and outputs. The number of groups follows from the
            channels of ``x`` and ``W``.
        stride, pad, dilation: as in `dezero_nn.windows.ConvParams`.
        has_bias: whether a bias is added to the output.
        data_type: the name of cuDNN's data type of all arrays, such as ``"FLOAT"``.
        channels_last: whether the memory order of images and filters is (N, H, W, C).
    """

    part: str
    x: Shape
    W: Shape
    y: Shape
    stride: Pair
    pad: Pair
    dilation: Pair
    has_bias: bool
    data_type: str
    channels_last: bool

    def record(self, graph: Any, float32: Any) -> None:
        """Add the convolution to a graph; ``float32``, a data type of cuDNN, is ignored."""
        name, inputs, result = NODES[self.part]
        steps = {"padding": self.pad, "stride": self.stride, "dilation": self.dilation}
        y = getattr(graph, name)(
            **{argument: self.tensor(graph, uid) for argument, uid in inputs.items()},
            **{argument: list(pair) for argument, pair in steps.items()},
        )
        if self.has_bias:
            self.shape_result(y, result)
            y = graph.bias(input=y, bias=self.tensor(graph, BIAS))
        self.shape_result(y, result).set_output(True).set_uid(result)

    def shape_of(self, uid: int) -> Shape:
        """Return the shape of a tensor by its number."""
        return {X: self.x, W: self.W, Y: self.y, BIAS: (1, self.y[1], 1, 1)}[uid]

    def tensor(self, graph: Any, uid: int) -> Any:
        """Add the input with a number to a graph, and return its tensor."""
        shape = self.shape_of(uid)
        return graph.tensor(dim=list(shape), stride=strides(shape, self.channels_last), uid=uid)

    def shape_result(self, y: Any, uid: int) -> Any:
        """Set the shape of a result, which cuDNN cannot infer for gradients, and return it."""
        shape = self.shape_of(uid)
        return y.set_dim(list(shape)).set_stride(strides(shape, self.channels_last))


Q, K, V, OUTPUT, STATISTICS, GRADIENT, GRAD_Q, GRAD_K, GRAD_V = range(1, 10)
"""The numbers of the tensors of attention."""


class Attention(NamedTuple):
    """Describe scaled dot-product attention, or its gradients.

    Attributes:
        is_gradient: whether the graph computes the gradients of q, k and v.
        q, k, v: the shapes (B, H, T, D), (B, H, S, D) and (B, H, S, E) of contiguous arrays.
        causal: whether query t attends only to the keys up to t.
        scale: the factor of the scores.
        has_statistics: whether the graph writes the statistics that the gradients need. For each
            query, this is the logarithm of the sum of exponentials: (B, H, T, 1), float32.
        data_type: the name of cuDNN's data type of all other arrays.
    """

    is_gradient: bool
    q: Shape
    k: Shape
    v: Shape
    causal: bool
    scale: float
    has_statistics: bool
    data_type: str = "BFLOAT16"

    def record(self, graph: Any, float32: Any) -> None:
        """Add attention to a graph; ``float32`` is cuDNN's data type of the statistics."""
        shapes = {Q: self.q, K: self.k, V: self.v}
        inputs = {
            name: self.tensor(graph, uid, shapes[uid])
            for name, uid in (("q", Q), ("k", K), ("v", V))
        }
        settings = {"attn_scale": self.scale, "use_causal_mask": self.causal}
        y, statistics = (*self.q[:3], self.v[3]), (*self.q[:3], 1)
        if not self.is_gradient:
            result, stats = graph.sdpa(**inputs, **settings, generate_stats=self.has_statistics)
            shape_result(result, y, OUTPUT)
            if self.has_statistics:
                shape_result(stats, statistics, STATISTICS).set_data_type(float32)
            return
        results = graph.sdpa_backward(
            **inputs,
            o=self.tensor(graph, OUTPUT, y),
            dO=self.tensor(graph, GRADIENT, y),
            stats=self.tensor(graph, STATISTICS, statistics, float32),
            **settings,
            use_deterministic_algorithm=True,
        )
        for result, shape, uid in zip(
            results, (self.q, self.k, self.v), (GRAD_Q, GRAD_K, GRAD_V), strict=True
        ):
            shape_result(result, shape, uid)

    def tensor(self, graph: Any, uid: int, shape: Shape, data_type: Any = None) -> Any:
        """Add an input to a graph; ``data_type`` None means the data type of the graph."""
        return graph.tensor(
            dim=list(shape), stride=strides(shape, False), uid=uid, data_type=data_type
        )


def shape_result(result: Any, shape: Shape, uid: int) -> Any:
    """Mark a result as an output, set its number, shape and contiguous strides, and return it."""
    result.set_output(True).set_uid(uid)
    return result.set_dim(list(shape)).set_stride(strides(shape, False))
