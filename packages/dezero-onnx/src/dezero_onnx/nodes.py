"""Build the nodes of named ops; each function has the name and the arguments of its op.

docs/kernels.md explains the arguments. In this module, arrays are variables of spox.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import spox
import spox.opset.ai.onnx.v21 as op
from onnx import TensorProto, helper

Var = Any


def constant(*values: int) -> Var:
    """Return a vector of integers as a constant of the graph."""
    return op.constant(value=np.array(values, np.int64))


def zeros(*shape: int) -> Var:
    """Return an array of zeros, float32, as a constant of the graph."""
    return op.constant(value=np.zeros(shape, np.float32))


def shape_of(x: Var) -> tuple[int, ...]:
    """Return the shape of a variable."""
    return tuple(x.unwrap_tensor().shape)


# activations and matmul


def matmul(x: Var, W: Var) -> Var:
    """Build x @ W."""
    return op.matmul(x, W)


def relu(x: Var) -> Var:
    """Build the positive part of x."""
    return op.relu(x)


def sigmoid(x: Var) -> Var:
    """Build the logistic function."""
    return op.sigmoid(x)


def silu(x: Var, needs_derivative: bool) -> tuple[Var, None]:
    """Build x times its logistic function."""
    return op.mul(x, op.sigmoid(x)), None


def gelu(x: Var, approximate: str, needs_derivative: bool) -> tuple[Var, None]:
    """Build gelu, exact or by tanh."""
    return op.gelu(x, approximate=approximate), None


def softmax(x: Var, axis: int) -> Var:
    """Build softmax along an axis."""
    return op.softmax(x, axis=axis)


def log_softmax(x: Var, axis: int) -> Var:
    """Build log softmax along an axis."""
    return op.log_softmax(x, axis=axis)


# images


def conv2d(x: Var, W: Var, b: Var | None, params: Any) -> Var:
    """Build a convolution with its bias."""
    stride, pad, dilation, groups = params
    return op.conv(x, W, b, strides=stride, pads=pad * 2, dilations=dilation, group=groups)


def conv2d_grad_x(gy: Var, W: Var, shape: tuple[int, ...], params: Any) -> Var:
    """Build a transposed convolution."""
    stride, pad, dilation, groups = params
    axes = zip(shape[2:], shape_of(gy)[2:], shape_of(W)[2:], stride, pad, dilation, strict=True)
    surplus = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1) for n, m, k, s, p, d in axes]
    return op.conv_transpose(
        gy, W, strides=stride, pads=pad * 2, dilations=dilation, group=groups,
        output_padding=surplus,
    )  # fmt: skip


def col2im(cols: Var, shape: tuple[int, ...], stride: Any, pad: Any, dilation: Any) -> Var:
    """Build images from the sums of overlapping windows."""
    N, C, KH, KW, OH, OW = shape_of(cols)
    flat = op.reshape(cols, constant(N, C * KH * KW, OH * OW))
    return op.col2_im(
        flat, constant(*shape[2:]), constant(KH, KW), strides=stride, pads=pad * 2,
        dilations=dilation,
    )  # fmt: skip


def max_pool2d_values(x: Var, kernel: Any, stride: Any, pad: Any) -> Var:
    """Build the maximum of each window."""
    return op.max_pool(x, kernel_shape=kernel, strides=stride, pads=pad * 2)[0]


def average_pool2d(x: Var, kernel: Any, stride: Any, pad: Any) -> Var:
    """Build the mean of each window, with the zeros of the padding."""
    return op.average_pool(
        x, kernel_shape=kernel, strides=stride, pads=pad * 2, count_include_pad=1
    )


# normalisation


def batch_norm_inference(x: Var, gamma: Var, beta: Var, mean: Var, var: Var, eps: float) -> Var:
    """Build a node with one output; spox's function builds three, which onnx refuses."""
    inputs = {"x": x, "gamma": gamma, "beta": beta, "mean": mean, "var": var}
    node = helper.make_node("BatchNormalization", list(inputs), ["y"], epsilon=eps)
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape_of(value))
        for name, value in {**inputs, "y": x}.items()
    }
    y = values.pop("y")
    graph = helper.make_graph([node], "batch_norm", list(values.values()), [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    return spox.inline(model)(**inputs)["y"]


def layer_norm(x: Var, gamma: Var | None, beta: Var | None, axes: int, eps: float) -> Any:
    """Build layer normalisation; a missing gamma is a constant of ones."""
    shape = shape_of(x)[-axes:]
    scale = op.constant(value=np.ones(shape, np.float32)) if gamma is None else gamma
    return op.layer_normalization(x, scale, beta, axis=-axes, epsilon=eps)


# sequences


def lstm(x: Var, Wx: Var, Wh: Var, b: Var, h: Var, c: Var) -> tuple[Var, Var, Var]:
    """Build an LSTM over a sequence.

    x is (T, C, N) and h is (H, N) in DeZero; in ONNX x is (T, N, C) and h is (1, N, H).
    """
    H = shape_of(h)[0]
    rows = gates((0, 3, 1, 2), H)  # ONNX's order of i, f, u and o is i, o, f, u
    hs, _, last = op.lstm(
        op.transpose(x, perm=(0, 2, 1)), op.gather(Wx, rows), op.gather(Wh, rows),
        op.concat([op.gather(b, rows), zeros(1, 4 * H)], axis=1), None,
        with_axis(h), with_axis(c), hidden_size=H,
    )  # fmt: skip
    return without_axis(hs, 1, (0, 2, 1)), without_axis(last, 0, (1, 0)), zeros(0)


def gru(x: Var, Wx: Var, Wh: Var, bx: Var, bh: Var, h: Var) -> tuple[Var, Var]:
    """Build a GRU over a sequence.

    x is (T, C, N) and h is (H, N) in DeZero; in ONNX x is (T, N, C) and h is (1, N, H).
    """
    H = shape_of(h)[0]
    rows = gates((1, 0, 2), H)  # ONNX's order of r, z and n is z, r, n
    hs, _ = op.gru(
        op.transpose(x, perm=(0, 2, 1)), op.gather(Wx, rows), op.gather(Wh, rows),
        op.concat([op.gather(bx, rows), op.gather(bh, rows)], axis=1), None,
        with_axis(h), hidden_size=H, linear_before_reset=1,
    )  # fmt: skip
    return without_axis(hs, 1, (0, 2, 1)), zeros(0)


def gates(order: tuple[int, ...], H: int) -> Var:
    """Return the rows of gates of size H in another order, as integers (1, gates * H)."""
    rows = np.arange(len(order) * H).reshape(-1, H)[list(order)]
    return op.constant(value=rows.reshape(1, -1))


def with_axis(state: Var) -> Var:
    """Return a state (H, N) as (1, N, H)."""
    return op.unsqueeze(op.transpose(state, perm=(1, 0)), constant(0))


def without_axis(x: Var, axis: int, order: tuple[int, ...]) -> Var:
    """Remove the axis of directions, and permute the other axes."""
    return op.transpose(op.squeeze(x, constant(axis)), perm=order)


def attention(
    q: Var, k: Var, v: Var, mask: None, keep: None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> tuple[Var, None]:  # fmt: skip
    """Build attention from matmuls and a softmax; add a constant to mask later keys."""
    *others, last = range(len(shape_of(k)))
    keys = op.transpose(k, perm=(*others[:-1], last, others[-1]))
    scores = op.mul(op.matmul(q, keys), number(scale))
    if causal:
        T, S = shape_of(q)[-2], shape_of(k)[-2]
        hidden = np.triu(np.full((T, S), -np.inf, np.float32), k=1 + S - T)
        scores = op.add(scores, op.constant(value=hidden))
    return op.matmul(op.softmax(scores, axis=-1), v), None


def number(x: float) -> Var:
    """Return a number, float32, as a constant of the graph."""
    return op.constant(value=np.array(x, np.float32))
