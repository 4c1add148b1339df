"""Compare convolution, pooling, normalisation and recurrent layers with PyTorch.

An environment of its own has PyTorch: `hatch run reference:run`. All is computed in float64;
gradients, and the gradients of a gradient, are compared too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as T
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dezero_core import Buffer, Variable, grad
from dezero_core import functions as C
from dezero_nn import GRU, LSTM, RNN, Conv2d, Deconv2d, Linear, get_conv_outsize, utils
from dezero_nn import functions as F

EXAMPLES = 300
settings.register_profile("reference", max_examples=EXAMPLES, deadline=None)
settings.load_profile("reference")

few = st.integers(1, 3)
pairs = st.tuples(few, few)
kernels = st.tuples(st.integers(1, 4), st.integers(1, 4))
sides = st.integers(1, 9)


def numbers(seed: int, *shape: int) -> Any:
    """Return distinct values."""
    count = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(count).reshape(shape) / (count / 2) - 1.01


def compare(
    ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: Any, second: bool = True
) -> None:
    """Compare values, gradients of a weighted sum, and gradients of the sum of their squares."""
    xs = [Variable(a.copy()) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, t = ours(*xs), theirs(*ts)
    np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=1e-9, atol=1e-9)
    v = np.cos(1.0 + np.arange(y.size)).reshape(y.shape)
    gxs = grad(y, xs, v, create_graph=second)
    gts = torch.autograd.grad(t, ts, torch.tensor(v), create_graph=second)
    for gx, gt in zip(gxs, gts, strict=True):
        np.testing.assert_allclose(gx.data, gt.detach().numpy(), rtol=1e-8, atol=1e-8)
    if not second:
        return
    z = sum((C.sum(gx * gx) for gx in gxs[1:]), C.sum(gxs[0] * gxs[0]))
    w = sum((gt * gt).sum() for gt in gts)
    for gx, gt in zip(grad(z, xs), torch.autograd.grad(w, ts, allow_unused=True), strict=True):
        expected = 0.0 if gt is None else gt.numpy()
        found = 0.0 if gx is None else gx.data
        scale = np.max(np.abs(expected), initial=1.0)
        np.testing.assert_allclose(found / scale, expected / scale, rtol=1e-8, atol=1e-8)


@st.composite
def convolutions(draw: Any) -> dict[str, Any]:
    """Draw sizes and settings in which the windows fit."""
    kernel, stride, dilation = draw(kernels), draw(pairs), draw(pairs)
    pad = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    size = draw(st.tuples(sides, sides))
    counts = [get_conv_outsize(*n) for n in zip(size, kernel, stride, pad, dilation, strict=True)]
    assume(min(counts) > 0)
    return {
        "N": draw(few), "C": draw(few), "OC": draw(few), "size": size, "counts": tuple(counts),
        "kernel": kernel, "bias": draw(st.booleans()), "seed": draw(st.integers(0, 99)),
        "settings": {"stride": stride, "dilation": dilation, "groups": draw(few)}, "pad": pad,
    }  # fmt: skip


@given(convolutions())
def test_conv2d(c: dict[str, Any]) -> None:
    G = c["settings"]["groups"]
    x = numbers(c["seed"], c["N"], c["C"] * G, *c["size"])
    W = numbers(c["seed"] + 1, c["OC"] * G, c["C"], *c["kernel"])
    b = [numbers(c["seed"] + 2, c["OC"] * G)] if c["bias"] else []
    compare(
        lambda x, W, b=None: F.conv2d(x, W, b, pad=c["pad"], **c["settings"]),
        lambda x, W, b=None: T.conv2d(x, W, b, padding=c["pad"], **c["settings"]),
        x, W, *b,
    )  # fmt: skip


@given(convolutions(), st.integers(0, 2), st.integers(0, 2))
def test_deconv2d(c: dict[str, Any], more_down: int, more_across: int) -> None:
    G, stride, dilation = (c["settings"][key] for key in ("groups", "stride", "dilation"))
    more = min(more_down, stride[0] - 1), min(more_across, stride[1] - 1)
    x = numbers(c["seed"], c["N"], c["C"] * G, *c["counts"])
    W = numbers(c["seed"] + 1, c["C"] * G, c["OC"], *c["kernel"])
    b = [numbers(c["seed"] + 2, c["OC"] * G)] if c["bias"] else []
    axes = zip(c["counts"], c["kernel"], stride, c["pad"], dilation, more, strict=True)
    outsize = tuple(s * (n - 1) + d * (k - 1) + 1 - 2 * p + m for n, k, s, p, d, m in axes)
    assume(min(outsize) > 0)
    compare(
        lambda x, W, b=None: F.deconv2d(x, W, b, pad=c["pad"], outsize=outsize, **c["settings"]),
        lambda x, W, b=None: T.conv_transpose2d(
            x, W, b, padding=c["pad"], output_padding=more, **c["settings"]
        ),
        x, W, *b,
    )  # fmt: skip


@given(convolutions())
def test_conv2d_simple(c: dict[str, Any]) -> None:
    stride = c["settings"]["stride"]
    reach = all(n + 2 * p >= k for n, p, k in zip(c["size"], c["pad"], c["kernel"], strict=True))
    assume(reach)
    compare(
        lambda x, W: F.conv2d_simple(x, W, None, stride, c["pad"]),
        lambda x, W: T.conv2d(x, W, None, stride, c["pad"]),
        numbers(c["seed"], c["N"], c["C"], *c["size"]),
        numbers(c["seed"] + 1, c["OC"], c["C"], *c["kernel"]),
    )


@st.composite
def poolings(draw: Any) -> tuple[Any, Any, Any, Any]:
    kernel, stride, size = draw(kernels), draw(pairs), draw(st.tuples(sides, sides))
    pad = tuple(draw(st.integers(0, k // 2)) for k in kernel)  # PyTorch's limit
    counts = [get_conv_outsize(*n) for n in zip(size, kernel, stride, pad, strict=True)]
    assume(min(counts) > 0)
    return numbers(draw(st.integers(0, 99)), draw(few), draw(few), *size), kernel, stride, pad


@pytest.mark.parametrize("op", [F.pooling, F.pooling_simple])
def test_max_pooling(op: Any) -> None:
    @given(poolings())
    def run(p: tuple[Any, ...]) -> None:
        x, *s = p
        compare(lambda x: op(x, *s) ** 2, lambda x: T.max_pool2d(x, *s) ** 2, x)

    run()


@given(poolings())
def test_average_pooling(p: tuple[Any, ...]) -> None:
    x, *s = p
    compare(lambda x: F.average_pooling(x, *s) ** 2, lambda x: T.avg_pool2d(x, *s) ** 2, x)


@pytest.mark.parametrize("align_corners", [False, True])
def test_affine_grid(align_corners: bool) -> None:
    size = 2, 3, 4, 5
    compare(
        lambda x: F.affine_grid(x, size, align_corners) ** 2,
        lambda t: T.affine_grid(t, list(size), align_corners) ** 2,
        numbers(0, 2, 2, 3),
    )


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("norm_type", [1, 2, 3.5])
def test_lp_pooling(norm_type: float, ceil_mode: bool) -> None:
    images = numbers(0, 1, 2, 5, 4) + 1.5
    settings = {"norm_type": norm_type, "kernel_size": 2, "ceil_mode": ceil_mode}
    compare(lambda x: F.lp_pool2d(x, **settings), lambda t: T.lp_pool2d(t, **settings), images)
    compare(lambda x: F.lp_pool1d(x, **settings), lambda t: T.lp_pool1d(t, **settings), images[0])


@given(
    shape=st.one_of(
        st.tuples(st.integers(2, 5), few), st.tuples(few, few, st.integers(2, 4), st.integers(1, 5))
    ),
    seed=st.integers(0, 99),
    train=st.booleans(),
)
def test_batch_norm(shape: tuple[int, ...], seed: int, train: bool) -> None:
    import dezero_core

    x, gamma, beta = numbers(seed, *shape), numbers(seed + 1, shape[1]) + 2, numbers(seed, shape[1])
    mean, var = numbers(seed + 2, shape[1]), numbers(seed + 3, shape[1]) + 3
    ours_mean, ours_var = Buffer(mean.copy()), Buffer(var.copy())
    theirs_mean, theirs_var = torch.tensor(mean), torch.tensor(var)

    def ours(x: Any, gamma: Any, beta: Any) -> Any:
        with dezero_core.using_config("train", train):
            return F.batch_norm(x, gamma, beta, ours_mean, ours_var, decay=0.9, eps=0.1)

    def theirs(x: Any, gamma: Any, beta: Any) -> Any:
        return T.batch_norm(x, theirs_mean, theirs_var, gamma, beta, train, momentum=0.1, eps=0.1)

    compare(ours, theirs, x, gamma, beta)
    np.testing.assert_allclose(ours_mean.data, theirs_mean.numpy())
    np.testing.assert_allclose(ours_var.data, theirs_var.numpy())


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 2), st.integers(0, 99))
def test_layer_norm(shape: list[int], last: int, seed: int) -> None:
    axes = tuple(shape[-last:])
    compare(
        lambda x, g, b: F.layer_norm(x, g, b, eps=0.1),
        lambda x, g, b: T.layer_norm(x, axes, g, b, eps=0.1),
        numbers(seed, *shape), numbers(seed + 1, *axes), numbers(seed + 2, *axes),
    )  # fmt: skip


LOSSES = {
    "softmax_cross_entropy": (F.softmax_cross_entropy, T.cross_entropy),
    "softmax_cross_entropy_simple": (F.softmax_cross_entropy_simple, T.cross_entropy),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_labels(name: str) -> None:
    ours, theirs = LOSSES[name]

    @given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
    def run(N: int, classes: int, seed: int) -> None:
        t = np.random.default_rng(seed).integers(0, classes, N)
        x = numbers(seed, N, classes)
        compare(lambda x: ours(x, t), lambda x: theirs(x, torch.tensor(t)), x)

    run()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@given(st.integers(1, 8), few, st.integers(2, 4), st.integers(0, 4), st.integers(0, 99))
def test_ctc_loss(
    reduction: str, steps: int, n: int, classes: int, longest: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    targets = draw.integers(1, classes, (n, longest))
    lengths = [draw.integers(1, steps + 1, n), draw.integers(0, longest + 1, n)]
    options = {"reduction": reduction, "zero_infinity": True}
    tensors = [torch.tensor(x) for x in (targets, *lengths)]
    compare(
        lambda x: F.ctc_loss(F.log_softmax(x, 2), targets, *lengths, **options),
        lambda x: T.ctc_loss(torch.log_softmax(x, 2), *tensors, **options),
        numbers(seed, steps, n, classes),
        second=False,
    )


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_losses_of_probabilities(N: int, M: int, seed: int) -> None:
    x, t = 4 * numbers(seed, N, M), np.random.default_rng(seed).random((N, M))
    p = 0.01 + 0.98 * np.random.default_rng(seed).random((N, M))
    both = {"reduction": "sum"}
    compare(
        lambda x: F.sigmoid_cross_entropy(x, t) * N,
        lambda x: T.binary_cross_entropy_with_logits(x, torch.tensor(t), **both),
        x,
    )
    compare(
        lambda p: F.binary_cross_entropy(p, t) * N,
        lambda p: T.binary_cross_entropy(p, torch.tensor(t), **both),
        p,
    )


ELEMENTWISE = {
    "gelu": (F.gelu, T.gelu),
    "gelu tanh": (lambda x: F.gelu(x, "tanh"), lambda x: T.gelu(x, approximate="tanh")),
    "silu": (F.silu, T.silu),
    "sigmoid": (F.sigmoid, torch.sigmoid),
    "leaky_relu": (lambda x: F.leaky_relu(x) ** 2, lambda x: T.leaky_relu(x, 0.2) ** 2),
    "logsumexp": (lambda x: C.logsumexp(x, -1), lambda x: torch.logsumexp(x, -1)),
    "softmax": (F.softmax, lambda x: T.softmax(x, 1)),
    "log_softmax": (F.log_softmax, lambda x: T.log_softmax(x, 1)),
    "max": (lambda x: C.max(x, 0) ** 2, lambda x: torch.amax(x, 0) ** 2),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_activations(name: str) -> None:
    ours, theirs = ELEMENTWISE[name]
    compare(ours, theirs, numbers(1, 4, 5) + 0.05)


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers(cell: str) -> None:
    gates = {"RNN": "h", "LSTM": "fiou", "GRU": "rzn"}[cell]
    torchs = {"RNN": "h", "LSTM": "ifuo", "GRU": "rzn"}[cell]  # the order in its weights
    ours = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}[cell](5)
    theirs = getattr(torch.nn, cell)(3, 5, dtype=torch.float64)
    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    ours(xs[0])
    ours.reset_state()
    with torch.no_grad():
        for bias in (theirs.bias_hh_l0, theirs.bias_ih_l0):
            bias *= 0 if cell != "GRU" or bias is theirs.bias_ih_l0 else 1
        if cell == "GRU":
            theirs.bias_hh_l0[:10] = 0  # only n has a bias of the state
    for part, W, b in (("x", theirs.weight_ih_l0, theirs.bias_ih_l0),
                       ("h", theirs.weight_hh_l0, theirs.bias_hh_l0)):  # fmt: skip
        for number, gate in enumerate(torchs):
            layer = getattr(ours, f"{part}2{gate}")
            rows = slice(5 * number, 5 * number + 5)
            layer.W.data = W.detach().numpy()[rows].T.copy()
            if layer.b is not None:
                layer.b.data = b.detach().numpy()[rows].copy()
    assert len(gates) == len(torchs)

    def run(x: Any) -> Any:
        ours.reset_state()
        return C.stack([ours(x[i]) for i in range(4)])

    compare(run, lambda x: theirs(x)[0], xs)

    def run_at_once(x: Any) -> Any:
        ours.reset_state()
        return ours(x)

    compare(run_at_once, lambda x: theirs(x)[0], xs)


def copy_weights(ours: Any, theirs: Any) -> None:
    """Set the weights of a recurrent layer to those of PyTorch's module."""
    for name, cell in {"l0": ours, **ours.cells}.items():
        named = cell.named_params()
        for key, array in cell.pytorch_arrays().items():
            parts = [getattr(theirs, part.replace("_l0", f"_{name}")) for part in array.names]
            value = sum(part.detach().numpy() for part in parts)
            value = np.split(value, array.parts)[array.part]
            named[key].data = (value.T if array.transposed else value).copy()


@pytest.mark.parametrize("lengths", [None, [2, 4, 1], [4, 4, 3]])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_layers_directions_lengths_and_states(
    cell: Any, num_layers: int, bidirectional: bool, lengths: Any
) -> None:
    """Compare the outputs and the last states, from given states."""
    settings: Any = {"num_layers": num_layers, "bidirectional": bidirectional}
    ours = cell(5, in_size=2, **settings)
    theirs = getattr(torch.nn, cell.__name__)(2, 5, dtype=torch.float64, **settings)
    copy_weights(ours, theirs)
    xs, cells = numbers(1, 4, 3, 2), num_layers * (1 + bidirectional)
    states = [numbers(n, cells, 3, 5) for n in range(2 if cell is LSTM else 1)]
    rnn = torch.nn.utils.rnn

    def run(x: Any, *states: Any) -> Any:
        hs = ours(x, states if cell is LSTM else states[0], lengths=lengths)
        last = ours.state if cell is LSTM else (ours.state,)
        return C.concat([part.reshape(-1) for part in (hs, *last)])

    def expected(x: Any, *states: Any) -> Any:
        before = states if cell is LSTM else states[0]
        if lengths is None:
            hs, last = theirs(x, before)
        else:
            packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            hs, last = theirs(packed, before)
            hs, _ = rnn.pad_packed_sequence(hs)
        return torch.cat([part.reshape(-1) for part in (hs, *(last if cell is LSTM else (last,)))])

    compare(run, expected, xs, *states)


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (lambda: Linear(3, in_size=4), lambda: torch.nn.Linear(4, 3), (5, 4)),
        (lambda: Conv2d(3, 3, in_channels=4), lambda: torch.nn.Conv2d(4, 3, 3), (2, 4, 5, 5)),
        (
            lambda: Deconv2d(3, 2, in_channels=4),
            lambda: torch.nn.ConvTranspose2d(4, 3, 2),
            (2, 4, 3, 3),
        ),
    ],
)
def test_normalised_weights(norm: str, ours: Any, theirs: Any, shape: Any) -> None:
    layer, module = ours(), theirs().double()
    W = module.weight.detach().numpy()
    layer.W.data = (W.T if isinstance(layer, Linear) else W).copy()
    layer.b.data = module.bias.detach().numpy().copy()
    axis = {"dim": layer.output_axis} if norm == "weight_norm" and W.ndim > 2 else {}
    layer = getattr(utils, norm)(layer)
    module = getattr(torch.nn.utils.parametrizations, norm)(module, **axis)
    if norm == "spectral_norm":
        vectors = module.parametrizations.weight[0]
        layer.u.data, layer.v.data = vectors._u.numpy().copy(), vectors._v.numpy().copy()
    x = numbers(1, *shape)
    y, t = layer(x), module(torch.tensor(x))
    np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=1e-9, atol=1e-9)
    C.sum(y * y).backward()
    (t * t).sum().backward()
    weights = module.parametrizations.weight
    expected = (weights.original1 if norm == "weight_norm" else weights.original).grad.numpy()
    found = layer.W.grad.data
    found = found.T if W.ndim == 2 else found
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    if norm == "weight_norm":
        expected = weights.original0.grad.numpy().ravel()
        np.testing.assert_allclose(layer.g.grad.data.ravel(), expected, rtol=1e-8, atol=1e-8)
