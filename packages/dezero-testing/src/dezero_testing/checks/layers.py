"""Check layers, losses, optimizers, dropout and training on a backend.

Most checks compare results on the backend with results on NumPy, computed from the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dezero_core import Parameter, Variable, seed, test_mode
from dezero_core.backends.host import HostArray
from dezero_core.extend import Array, backend_of, get_backend
from dezero_core.functions import flatten, sum
from dezero_nn import CNN, MLP, Layer, Sequential
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_nn import optimizers as O
from dezero_nn.utils import spectral_norm, weight_norm

from ..check import Check

ROWS = np.sin(np.arange(20.0)).reshape(5, 4).astype("float32")
STEPS = np.sin(np.arange(24.0)).reshape(3, 2, 4).astype("float32")
IMAGES = np.sin(np.arange(200.0)).reshape(2, 4, 5, 5).astype("float32")
IDS = np.array([[0, 2], [2, 1]])
HOST = "numpy"


class Padded(Layer):
    """Call a recurrent layer with sequences of 3 and 1 steps."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, x: Variable) -> Variable:
        return self.layer(x, lengths=[3, 1])


LAYERS: dict[str, tuple[Callable[[], Layer], Any]] = {
    "Linear": (lambda: L.Linear(3), ROWS),
    "Conv2d": (lambda: L.Conv2d(6, 3, stride=2, pad=1), IMAGES),
    "Conv2d dilated in groups": (lambda: L.Conv2d(4, 2, dilation=2, groups=2), IMAGES),
    "Deconv2d": (lambda: L.Deconv2d(3, 3, stride=2, pad=1), IMAGES),
    "BatchNorm": (L.BatchNorm, IMAGES),
    "LayerNorm": (L.LayerNorm, ROWS),
    "BatchNorm1d": (lambda: L.BatchNorm1d(4), ROWS),
    "BatchNorm2d": (lambda: L.BatchNorm2d(4, affine=False), IMAGES),
    "BatchNorm3d": (lambda: L.BatchNorm3d(4, 0.1, 0.5), IMAGES.reshape(2, 4, 5, 5, 1)),
    "LayerNorm without bias": (lambda: L.LayerNorm(bias=False), ROWS),
    "EmbedID": (lambda: L.EmbedID(3, 4), IDS),
    "Embedding with padding": (lambda: L.Embedding(3, 4, padding_idx=2), IDS),
    "RNN": (lambda: L.RNN(3), ROWS),
    "LSTM": (lambda: L.LSTM(3), ROWS),
    "GRU": (lambda: L.GRU(3), ROWS),
    "RNN over a sequence": (lambda: L.RNN(3), STEPS),
    "LSTM over a sequence": (lambda: L.LSTM(3), STEPS),
    "GRU over a sequence": (lambda: L.GRU(3), STEPS),
    **{
        make.__name__: (make, ROWS)
        for make in (
            L.ReLU, L.ReLU6, L.LeakyReLU, L.ELU, L.SELU, L.GELU, L.SiLU, L.Mish, L.Hardswish,
            L.Softplus, L.Sigmoid, L.LogSigmoid, L.Hardsigmoid, L.Tanh, L.Hardtanh, L.Softmax,
            L.LogSoftmax, L.GLU, L.Identity, L.Flatten, L.PReLU,
        )
    },
    "PReLU of channels": (lambda: L.PReLU(4), IMAGES),
    "RNN of padded sequences": (lambda: Padded(L.RNN(3)), STEPS),
    "LSTM of padded sequences": (lambda: Padded(L.LSTM(3)), STEPS),
    "GRU with layers and directions": (
        lambda: Padded(L.GRU(3, num_layers=2, bidirectional=True)), STEPS,
    ),
    "LSTM with layers and directions": (
        lambda: L.LSTM(3, num_layers=2, bidirectional=True), STEPS,
    ),
    "weight_norm": (lambda: weight_norm(L.Linear(3)), ROWS),
    "spectral_norm": (lambda: spectral_norm(L.Conv2d(3, 3)), IMAGES),
    "MLP": (lambda: MLP((6, 3)), ROWS),
    "CNN": (lambda: CNN(3, (2, 3), 4, dropout_ratio=0.0), np.tile(IMAGES, (1, 1, 2, 2))),
    "pooling": (lambda: Sequential(lambda x: F.pooling(x, 3, 2, 1), flatten, L.Linear(2)), IMAGES),
}  # fmt: skip

LOSSES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "mean_squared_error": (F.mean_squared_error, (ROWS, ROWS[::-1].copy())),
    "softmax_cross_entropy": (F.softmax_cross_entropy, (ROWS, np.array([0, 1, 3, 2, 0]))),
    "sigmoid_cross_entropy": (F.sigmoid_cross_entropy, (20 * ROWS, (ROWS > 0).astype("int64"))),
    "binary_cross_entropy": (F.binary_cross_entropy, (ROWS**2, (ROWS > 0).astype("float32"))),
}

OPTIMIZERS: dict[str, Callable[[], O.Optimizer]] = {
    "SGD": lambda: O.SGD(0.1),
    "SGD with momentum": lambda: O.SGD(0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "MomentumSGD": lambda: O.MomentumSGD(0.1),
    "MomentumSGD with nesterov": lambda: O.MomentumSGD(0.1, nesterov=True),
    "AdaGrad": lambda: O.AdaGrad(0.1),
    "RMSprop": lambda: O.RMSprop(0.1),
    "AdaDelta": O.AdaDelta,
    "Adam": lambda: O.Adam(0.1),
    "AdamW": lambda: O.AdamW(0.1),
    "AMSGrad": lambda: O.AMSGrad(0.1),
    "Adamax": lambda: O.Adamax(0.1),
    "NAdam": lambda: O.NAdam(0.1),
    "RAdam": lambda: O.RAdam(0.1, beta2=0.5),
    "Lion": lambda: O.Lion(0.1, weight_decay=0.1),
    "Muon": lambda: O.Muon(0.1, weight_decay=0.1),
    "Muon with AdamW": lambda: O.Muon(0.1, use_adam=True),
}


def layer_checks() -> list[Check]:
    """Return every check of layers, losses, optimizers, dropout and training."""
    found = [Check(name, "layers", layer_check(*pair)) for name, pair in LAYERS.items()]
    found += [Check(name, "losses", loss_check(*pair)) for name, pair in LOSSES.items()]
    found += [Check(name, "optimizers", optimizer_check(make)) for name, make in OPTIMIZERS.items()]
    return [
        *found,
        Check("hooks", "optimizers", optimizer_check(with_hooks)),
        Check("ratio and masks", "dropout", check_dropout),
        Check("test mode", "dropout", check_test_mode),
        Check("losses of an MLP", "training", training_check(lambda: MLP((8, 3)), ROWS)),
        Check("losses of a CNN", "training", training_check(small_cnn, IMAGES[:, :1])),
    ]


def to_variable(name: str, x: HostArray) -> Variable:
    """Copy a host array to a Variable on a backend."""
    return Variable(get_backend(name).from_numpy(x), requires_grad=x.dtype.kind == "f")


def to_host(x: Variable) -> Any:
    """Check that a Variable is float32, and copy its array to the host."""
    library = backend_of(x.data)
    assert x.dtype == library.dtype("float32"), f"dtype {x.dtype}, expected float32"
    return library.to_numpy(x.data)


def require_close(got: HostArray, expected: HostArray, what: str) -> None:
    """Check that values are as close as single precision allows."""
    scale = max(float(np.max(np.abs(expected), initial=0.0)), 1e-3)
    np.testing.assert_allclose(got / scale, expected / scale, atol=2e-5, err_msg=what)


def layer_check(make: Callable[[], Layer], x: HostArray) -> Callable[[str], None]:
    """Return a check of a layer's outputs, gradients, parameters and buffers."""

    def outcome(name: str) -> dict[str, Any]:
        seed(5)
        layer, inputs = make().to(name), to_variable(name, x)
        for _ in range(2):  # call twice, because states and running statistics change
            y = layer(inputs)
        v = get_backend(name).from_numpy(np.cos(np.arange(float(y.size))).astype("float32"))
        sum(weights_like(v, y) * y).backward()
        found = {"output": to_host(y)}
        for key, p in layer.named_params().items():
            assert backend_of(p.data).name == name, f"{key} is on another backend"
            found[key] = to_host(p)
            if p.grad is not None:
                found[f"gradient of {key}"] = to_host(p.grad)
        if inputs.grad is not None:
            found["gradient of the input"] = to_host(inputs.grad)
        with test_mode():
            found["output in test mode"] = to_host(layer(inputs))
        return found

    def run(name: str) -> None:
        got, expected = outcome(name), outcome(HOST)
        assert got.keys() == expected.keys(), f"{sorted(got)}, expected {sorted(expected)}"
        for what in expected:
            require_close(got[what], expected[what], what)

    return run


def weights_like(v: Array, y: Variable) -> Variable:
    """Return ``v`` as a constant Variable in the shape of ``y``."""
    return Variable(v, requires_grad=False).reshape(y.shape)


def loss_check(loss: Callable[..., Any], inputs: tuple[HostArray, ...]) -> Callable[[str], None]:
    """Return a check of a loss and its gradient."""

    def outcome(name: str) -> tuple[Any, Any]:
        x, t = (to_variable(name, a) for a in inputs)
        y = loss(x, t)
        y.backward()
        assert x.grad is not None
        return to_host(y), to_host(x.grad)

    def run(name: str) -> None:
        for got, expected in zip(outcome(name), outcome(HOST), strict=True):
            require_close(got, expected, "loss, gradient")

    return run


def with_hooks() -> O.Optimizer:
    """Return an optimizer with weight decay and gradient clipping."""
    optimizer = O.SGD(0.1)
    optimizer.add_hook(O.WeightDecay(0.5))
    optimizer.add_hook(O.ClipGrad(1.0))
    return optimizer


def optimizer_check(make: Callable[[], O.Optimizer]) -> Callable[[str], None]:
    """Return a check of three optimizer updates, which must not change the gradients."""

    def outcome(name: str) -> Any:
        library = get_backend(name)
        layer = Layer()
        layer.p = Parameter(library.from_numpy(ROWS))  # type: ignore[attr-defined]
        p: Parameter = layer.p  # type: ignore[attr-defined]
        optimizer = make().setup(layer)
        for step in range(3):
            g = library.from_numpy(np.cos(step + ROWS))
            p.grad = Variable(g, requires_grad=False)
            optimizer.update()
            same = np.array_equal(library.to_numpy(g), np.cos(step + ROWS))
            assert same, "the update changed the gradient"
        return to_host(p)

    def run(name: str) -> None:
        require_close(outcome(name), outcome(HOST), "parameters after three steps")

    return run


def check_dropout(name: str) -> None:
    """Check how dropout selects and scales elements, and that equal seeds give equal masks."""
    x = to_variable(name, np.ones((100, 100), "float32"))
    for ratio in (0.1, 0.5, 0.9):
        seed(3)
        first, second = to_host(F.dropout(x, ratio)), to_host(F.dropout(x, ratio))
        share = (first != 0).mean()
        assert abs(share - (1 - ratio)) < 0.02, f"ratio {ratio}: {share:.2%} are not dropped"
        np.testing.assert_allclose(first[first != 0], 1 / (1 - ratio), rtol=1e-5)
        assert not np.array_equal(first, second), "two calls drop the same elements"
        seed(3)
        assert np.array_equal(to_host(F.dropout(x, ratio)), first), "not reproduced by seed()"


def check_test_mode(name: str) -> None:
    """Check that dropout does nothing in test mode."""
    with test_mode():
        assert np.array_equal(to_host(F.dropout(to_variable(name, ROWS), 0.5)), ROWS)


def small_cnn() -> Layer:
    """Return a CNN of one convolution, batch normalisation, pooling and a linear layer."""
    return Sequential(
        L.Conv2d(3, 3, pad=1), L.BatchNorm(), F.relu,
        lambda x: F.pooling(x, 2, 2), flatten, L.Linear(3),
    )  # fmt: skip


def training_check(make: Callable[[], Layer], x: HostArray) -> Callable[[str], None]:
    """Return a check of the losses of ten training steps, which must decrease."""

    def losses(name: str) -> list[float]:
        seed(1)
        model = make().to(name)
        optimizer = O.Adam(0.02).setup(model)
        t = to_variable(name, np.arange(len(x)) % 3)
        found = []
        for _ in range(10):
            loss = F.softmax_cross_entropy(model(to_variable(name, x)), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            found.append(float(loss))
        return found

    def run(name: str) -> None:
        got, expected = losses(name), losses(HOST)
        np.testing.assert_allclose(got, expected, rtol=1e-3, err_msg="losses, step by step")
        assert got[-1] < got[0]

    return run
