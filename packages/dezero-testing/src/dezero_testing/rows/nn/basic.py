"""Define the rows of the layers of the book; each reference computes the definition with loops.

Some ops have a zero gradient at some elements. The rows of these ops add a term to the result, so
that no gradient is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from dezero_core import Buffer, Variable, test_mode
from dezero_core.backends.host import HostArray
from dezero_core.dtypes import as_floating
from dezero_core.extend import backend_of, unwrap
from dezero_core.functions import concat, reshape, sum
from dezero_nn import functions as F
from dezero_nn.functions.dropout import Dropout

from ...op_case import OpCase

Pair = Sequence[int]
"""A pair of values, for the height and the width."""

ROWS_OF_SCORES = (((4, 3),), ((1, 2),))
LABELLED = (((4, 3), (4,)), ((2, 3), (2, 1)), ((1, 3), (1,)))
AFFINE = (((3, 4), (4, 2), (2,)), ((2, 3, 4), (4, 2), (2,)), ((1, 1), (1, 1), (1,)))
IMAGES = (((1, 2, 3, 4),), ((1, 1, 2, 2),), ((0, 1, 3, 3),))
FILTERED = (
    ((1, 2, 3, 4), (2, 2, 2, 3), (2,)),
    ((2, 1, 3, 2), (1, 1, 1, 2), (1,)),
    ((1, 1, 2, 3), (1, 1, 2, 3), (1,)),
    ((0, 1, 3, 3), (1, 1, 2, 3), (1,)),
)
SEQUENCES, SHORT_SEQUENCES = (
    tuple(((T, N, C), (4 * H, C), (4 * H, H), (4 * H,), (N, H), (N, H)) for T, N, C, H in sizes)
    for sizes in (((3, 2, 3, 2), (1, 1, 1, 1), (2, 0, 1, 2)), ((2, 1, 1, 1),))
)
EACH_NORMED = (((4, 3), (3,), (3,)), ((2, 2, 3), (2, 3), (2, 3)), ((2, 1), (1,), (1,)))
CHANNELS = (((4, 3), (3,), (3,)), ((2, 2, 2, 3), (2,), (2,)), ((3, 1), (1,), (1,)))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [
        *activations(),
        *layers(),
        *losses(),
        *convolutions(),
        *poolings(),
    ]


def activations() -> list[OpCase]:
    """Return the rows of activation functions."""
    return [
        OpCase("sigmoid", F.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
        OpCase("sigmoid_simple", F.sigmoid_simple, lambda x: (1 + np.tanh(x / 2)) / 2),
        OpCase("relu", lambda x: F.relu(x) + F.relu(-2 * x), _relus),
        OpCase("leaky_relu", F.leaky_relu, lambda x: 0.6 * x + 0.4 * np.abs(x)),
        OpCase("leaky_relu slope", lambda x: F.leaky_relu(x, -1.0), np.abs),
        OpCase("softmax", F.softmax, _softmax, ROWS_OF_SCORES),
        OpCase("softmax_simple", F.softmax_simple, _softmax, ROWS_OF_SCORES),
        OpCase("softmax axis", lambda x: F.softmax(x, -3), _softmax_first, (((3, 1, 2),),)),
        OpCase("log_softmax", F.log_softmax, lambda x: np.log(_softmax(x)), ROWS_OF_SCORES),
        OpCase(
            "log_softmax axis",
            lambda x: F.log_softmax(x, -3),
            lambda x: np.log(_softmax_first(x)),
            (((3, 1, 2),),),
        ),
    ]


def _relus(x: HostArray) -> Any:
    return (np.abs(x) + x) / 2 + np.abs(x) - x


def _softmax(x: HostArray) -> Any:
    return np.stack([np.exp(row) / np.exp(row).sum() for row in x])


def _softmax_first(x: HostArray) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=0)


def layers() -> list[OpCase]:
    """Return the rows of linear layers, dropout, normalisation and recurrence."""
    return [
        OpCase("linear", F.linear, lambda x, W, b: np.einsum("...i,io->...o", x, W) + b, AFFINE),
        OpCase("linear nobias", F.linear, lambda x, W: np.dot(x, W), (((3, 4), (4, 2)),)),
        OpCase("linear_simple", F.linear_simple, lambda x, W, b: np.tensordot(x, W, 1) + b, AFFINE),
        OpCase(
            "embed_id",
            lambda W: F.embed_id(backend_of(W.data).asarray([[1, 0, 1]]), W) + sum(W),
            lambda W: np.stack([W[1], W[0], W[1]])[None] + W.sum(),
            (((3, 2),), ((2, 1),), ((2, 0),)),
        ),
        OpCase("layer_norm", _layer_normed, _layer_normed_reference, EACH_NORMED),
        OpCase("lstm", _lstm, _lstm_reference, SEQUENCES, order=1),
        OpCase("lstm twice", _lstm, _lstm_reference, SHORT_SEQUENCES),
        OpCase("dropout", lambda x: F.dropout(x, 0.0) * 2, lambda x: 2 * x),
        OpCase(
            "dropout mask",
            lambda x: Dropout(2.0)(x, backend_of(x.data).asarray([[True, False, True]])) + sum(x),
            lambda x: x * [[2.0, 0.0, 2.0]] + x.sum(),
            (((1, 3),),),
        ),
        OpCase("batch_norm", _normalised, _normalised_reference, CHANNELS),
        OpCase("batch_norm all_sum", _normalised_over_one, _normalised_reference, CHANNELS),
        OpCase("batch_norm test_mode", _normalised_by_running, _by_running_reference, CHANNELS),
    ]


def _lstm(*inputs: Variable) -> Any:
    hs, c = F.lstm(*inputs)
    return concat([hs, reshape(c, (1, *c.shape))])


def _lstm_reference(
    x: HostArray, Wx: HostArray, Wh: HostArray, b: HostArray, h: HostArray, c: HostArray
) -> Any:
    states: list[Any] = []
    for step in x:
        i, f, u, o = np.split(step @ Wx.T + h @ Wh.T + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(u)
        h = o * np.tanh(c)
        states.append(h)
    return np.stack([*states, c])


def _layer_normed(x: Variable, gamma: Variable, beta: Variable) -> Any:
    return F.layer_norm(x, gamma, beta, eps=0.1)


def _layer_normed_reference(x: HostArray, gamma: HostArray, beta: HostArray) -> Any:
    flat = x.reshape(-1, gamma.size)
    rows = [(row - row.mean()) / (row.var() + 0.1) ** 0.5 for row in flat]
    return gamma * np.array(rows, x.dtype).reshape(x.shape) + beta


def _normalised(
    x: Variable, gamma: Variable, beta: Variable, eps: float = 0.1, **options: Any
) -> Any:
    zeros = backend_of(x.data).zeros((x.shape[1],), unwrap(as_floating(x)))
    running = Buffer(zeros + 0.5), Buffer(zeros + 4.0)
    return F.batch_norm(x, gamma, beta, *running, eps=eps, **options)


def _normalised_over_one(x: Variable, gamma: Variable, beta: Variable) -> Any:
    return _normalised(x, gamma, beta, all_sum=lambda sums: sums)


def _normalised_by_running(x: Variable, gamma: Variable, beta: Variable) -> Any:
    with test_mode():
        return _normalised(x, gamma, beta, eps=0.0)


def _normalised_reference(x: HostArray, gamma: HostArray, beta: HostArray) -> Any:
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        deviation = (x[:, c].var() + 0.1) ** 0.5
        y[:, c] = gamma[c] * (x[:, c] - x[:, c].mean()) / deviation + beta[c]
    return y


def _by_running_reference(x: HostArray, gamma: HostArray, beta: HostArray) -> Any:
    one_each = (-1,) + (1,) * (x.ndim - 2)
    return gamma.reshape(one_each) * (x - 0.5) / 2 + beta.reshape(one_each)


def losses() -> list[OpCase]:
    """Return the rows of losses and of the accuracy."""
    return [
        OpCase(
            "mean_squared_error",
            F.mean_squared_error,
            lambda a, b: np.square(a - b).sum() / len(a),
            (((3, 2), (3, 2)), ((2,), (2,)), ((1, 1), (1, 1))),
        ),
        OpCase(
            "softmax_cross_entropy",
            F.softmax_cross_entropy,
            _cross_entropy,
            LABELLED,
            integers={1: 3},
        ),
        OpCase(
            "mean_squared_error_simple",
            F.mean_squared_error_simple,
            lambda a, b: np.mean(np.square(a - b), axis=0).sum(),
            (((3, 2), (3, 2)), ((2,), (2,)), ((1, 1), (1, 1))),
        ),
        OpCase(
            "softmax_cross_entropy_simple",
            F.softmax_cross_entropy_simple,
            _cross_entropy,
            LABELLED,
            integers={1: 3},
        ),
        OpCase(
            "sigmoid_cross_entropy",
            F.sigmoid_cross_entropy,
            lambda x, t: _binary_cross_entropy(1 / (1 + np.exp(-x.astype("float64"))), t),
            (((3, 2), (3, 2)), ((4,), (4,)), ((1, 1), (1, 1))),
        ),
        OpCase(
            "sigmoid_cross_entropy classes",
            F.sigmoid_cross_entropy,
            lambda x, t: _binary_cross_entropy(1 / (1 + np.exp(-x[:, 0].astype("float64"))), t),
            (((3, 1), (3,)),),
            integers={1: 2},
        ),
        OpCase(
            "binary_cross_entropy",
            F.binary_cross_entropy,
            _binary_cross_entropy,
            (((3, 2), (3, 2)), ((4,), (4,)), ((1, 1), (1, 1))),
            low=0.1,
            high=0.9,
        ),
        OpCase("accuracy", F.accuracy, _accuracy, LABELLED, integers={1: 3}, order=0),
    ]


def _cross_entropy(x: HostArray, t: HostArray) -> Any:
    p = _softmax(x.astype("float64"))
    return -np.mean([np.log(row[label]) for row, label in zip(p, t.ravel(), strict=True)])


def _binary_cross_entropy(p: HostArray, t: HostArray) -> Any:
    terms = [a * np.log(b) + (1 - a) * np.log(1 - b) for a, b in zip(t.flat, p.flat, strict=True)]
    return -np.sum(terms) / len(t)


def _accuracy(y: HostArray, t: HostArray) -> Any:
    return np.mean([int(np.argmax(row)) == label for row, label in zip(y, t.ravel(), strict=True)])


def convolutions() -> list[OpCase]:
    """Return the rows of im2col, col2im, convolution and transposed convolution."""
    settings: dict[str, Any] = {"stride": (1, 2), "pad": (1, 0)}
    found = [
        OpCase("im2col", lambda x: F.im2col(x, (2, 1)) + sum(x), _columns_reference, IMAGES),
        OpCase(
            "im2col windows",
            lambda x: F.im2col(x, 2, (1, 2), 1, to_matrix=False) + sum(x),
            lambda x: _windows(x, (2, 2), (1, 2), (1, 1)).transpose(0, 3, 4, 5, 1, 2) + x.sum(),
            IMAGES,
        ),
        OpCase(
            "col2im",
            lambda x: F.col2im(x, (1, 2, 2, 2), (2, 1)),
            lambda x: x.reshape(2, 2, 2).transpose(1, 2, 0)[None],
            (((2, 4),),),
        ),
        OpCase(
            "col2im overlapping",
            lambda x: F.col2im(x, (1, 1, 1, 3), (1, 2), to_matrix=False),
            lambda x: (
                np.pad(x[..., 0, 0, :], [(0, 0)] * 3 + [(0, 1)])
                + np.pad(x[..., 1, 0, :], [(0, 0)] * 3 + [(1, 0)])
            ),
            (((1, 1, 1, 2, 1, 2),),),
        ),
    ]
    in_groups: dict[str, Any] = {"stride": (1, 2), "pad": (2, 1), "dilation": (2, 1), "groups": 2}
    found += [
        OpCase(
            "conv2d groups",
            lambda x, W, b: F.conv2d(x, W, b, **in_groups),
            lambda x, W, b: _conv(x, W, **in_groups) + b[:, None, None],
            (((1, 4, 3, 3), (2, 2, 2, 2), (2,)), ((1, 2, 1, 2), (4, 1, 1, 2), (4,))),
        ),
        OpCase(
            "deconv2d",
            F.deconv2d,
            lambda x, W, b: _deconv(x, W) + b[:, None, None],
            (
                ((1, 2, 2, 2), (2, 2, 2, 3), (2,)),
                ((1, 1, 1, 1), (1, 1, 1, 1), (1,)),
                ((0, 1, 2, 2), (1, 2, 2, 2), (2,)),
            ),
        ),
        OpCase(
            "deconv2d groups",
            lambda x, W: F.deconv2d(x, W, None, outsize=(2, 4), **in_groups),
            lambda x, W: _deconv(x, W, outsize=(2, 4), **in_groups),
            (((1, 2, 4, 3), (2, 2, 2, 2)),),
        ),
    ]
    for name, op in (("conv2d", F.conv2d), ("conv2d_simple", F.conv2d_simple)):
        found += [
            OpCase(name, op, lambda x, W, b: _conv(x, W) + b[:, None, None], FILTERED),
            OpCase(
                f"{name} settings",
                lambda x, W, op=op: op(x, W, None, **settings),
                lambda x, W: _conv(x, W, **settings),
                (((1, 2, 3, 5), (2, 2, 2, 3)),),
            ),
        ]
    return found


def _windows(x: HostArray, kernel: Pair, stride: Pair, pad: Pair, value: float = 0.0) -> Any:
    """Return all windows of images, shape (N, OH, OW, C, KH, KW), by slicing."""
    (KH, KW), (SH, SW) = kernel, stride
    N, C = x.shape[:2]
    x = np.pad(x, [(0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])], constant_values=value)
    rows, columns = range(0, x.shape[2] - KH + 1, SH), range(0, x.shape[3] - KW + 1, SW)
    found = [x[:, :, i : i + KH, j : j + KW] for i, j in product(rows, columns)]
    return np.stack(found, axis=1).reshape(N, len(rows), len(columns), C, KH, KW)


def _columns_reference(x: HostArray) -> Any:
    return np.array([w.ravel() for w in _windows(x, (2, 1), (1, 1), (0, 0)).reshape(
        -1, x.shape[1] * 2)]).reshape(-1, x.shape[1] * 2) + x.sum()  # fmt: skip


def _conv(
    x: HostArray,
    W: HostArray,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """Convolve window by window; a dilated filter is a larger filter with zeros inserted."""
    size = [d * (k - 1) + 1 for d, k in zip(dilation, W.shape[2:], strict=True)]
    filters = np.zeros((*W.shape[:2], *size), W.dtype)
    filters[..., :: dilation[0], :: dilation[1]] = W
    C, OC = W.shape[1], len(W) // groups
    y = []
    for o, w in enumerate(filters):
        g = o // OC
        windows = _windows(x[:, g * C : (g + 1) * C], size, stride, pad)
        y.append((windows * w).sum(axis=(3, 4, 5)))
    return np.stack(y, axis=1).astype(x.dtype)


def _deconv(x: HostArray, W: HostArray, outsize: Pair | None = None, **settings: Any) -> Any:
    """Multiply by the transposed convolution matrix, computed by convolving unit images."""
    groups = settings.get("groups", 1)
    size = outsize or [n + k - 1 for n, k in zip(x.shape[2:], W.shape[2:], strict=True)]
    shape = (W.shape[1] * groups, *size)
    units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    matrix = _conv(units, W, **settings).reshape(len(units), -1)
    return (x.reshape(len(x), matrix.shape[1]) @ matrix.T).reshape(-1, *shape).astype(x.dtype)


def poolings() -> list[OpCase]:
    """Return the rows of pooling."""
    over: dict[str, Callable[..., Any]] = {"pooling": F.pooling, "pooling_simple": F.pooling_simple}
    found = [
        OpCase(
            "average_pooling",
            lambda x: F.average_pooling(x, 2),
            lambda x: _windows(x, (2, 2), (1, 1), (0, 0)).mean((4, 5)).transpose(0, 3, 1, 2),
            IMAGES,
        ),
        OpCase(
            "average_pooling settings",
            lambda x: F.average_pooling(x, (2, 3), (1, 2), 1),
            lambda x: _windows(x, (2, 3), (1, 2), (1, 1)).mean((4, 5)).transpose(0, 3, 1, 2),
            IMAGES,
        ),
    ]
    for name, op in over.items():
        found += [
            OpCase(
                name,
                lambda x, op=op: op(x, (1, 2), (1, 2)) + op(-2 * x, (1, 2), (1, 2)),
                _largest_and_smallest,
                (((2, 1, 2, 4),), ((1, 1, 1, 2),), ((0, 1, 1, 2),)),
            ),
            OpCase(
                f"{name} settings",
                lambda x, op=op: op(x, (2, 3), (1, 2), 1) + sum(x),
                lambda x: (
                    _windows(x, (2, 3), (1, 2), (1, 1), -np.inf).max((4, 5)).transpose(0, 3, 1, 2)
                    + x.sum()
                ),
                IMAGES,
            ),
        ]
    return found


def _largest_and_smallest(x: HostArray) -> Any:
    left, right = x[..., ::2], x[..., 1::2]
    return np.fmax(left, right) - 2 * np.fmin(left, right)
