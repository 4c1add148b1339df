"""Wrong flags, integers, words and dtypes raise errors that name the function and the argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
import dezero.optimizers as O
from dezero import transforms
from dezero.models import CNN, GPT, MLP
from dezero_core.errors import ArgumentError, ArgumentTypeError, DezeroError

X = np.ones((2, 4), dtype="float32")
IMAGES = np.ones((2, 4, 6, 6), dtype="float32")
SIGNALS = np.ones((2, 4, 6), dtype="float32")
VOLUMES = np.ones((1, 1, 4, 4, 4), dtype="float32")
IDS = np.array([[1, 2], [1, 2]])
LENGTHS = np.array([2, 2])
SQUARE = np.eye(3, dtype="float32")
GRID = np.zeros((2, 3, 3, 2), dtype="float32")

FLAGS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("argmax", "argmin", "argsort", "logsumexp", "max", "min", "prod"), (X,)),
    **dict.fromkeys(("sort", "std", "sum", "mean", "var", "vector_norm", "multinomial"), (X,)),
    **dict.fromkeys(("amax", "amin", "average", "gumbel_softmax", "rotary"), (X,)),
    **dict.fromkeys(("cumulative_sum", "cumulative_prod", "cumsum", "cumprod"), (X, 0)),
    **dict.fromkeys(("cholesky", "svd"), (SQUARE,)),
    **dict.fromkeys(("avg_pool2d", "max_pool2d", "im2col"), (IMAGES, 2)),
    **dict.fromkeys(("avg_pool1d", "max_pool1d"), (SIGNALS, 2)),
    **dict.fromkeys(("avg_pool3d", "max_pool3d"), (VOLUMES, 2)),
    **dict.fromkeys(("kl_div", "poisson_nll_loss", "pairwise_distance"), (X, X)),
    **dict.fromkeys(("triplet_margin_loss", "gaussian_nll_loss"), (X, X, X)),
    "topk": (X, 2),
    "lp_pool1d": (SIGNALS, 2, 2),
    "lp_pool2d": (IMAGES, 2, 2),
    "col2im": (np.ones((50, 16), dtype="float32"), (2, 4, 6, 6), 2),
    "interpolate": (IMAGES, (3, 3), None, "bilinear"),
    "affine_grid": (np.ones((2, 2, 3), dtype="float32"), (2, 4, 3, 3)),
    "grid_sample": (IMAGES, GRID),
    "scaled_dot_product_attention": (SIGNALS, SIGNALS, SIGNALS),
    "ctc_loss": (np.zeros((5, 2, 4), dtype="float32"), IDS, np.array([5, 5]), LENGTHS),
    "BatchNorm": (),
    "LayerNorm": (),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), (4,)),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), (4,)),
    "InstanceNorm": (),
    "GroupNorm": (2,),
    "Linear": (3,),
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d", "Deconv1d", "Deconv2d", "Deconv3d"), (3, 3)),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), (3, 3, 3)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (3,)),
    **dict.fromkeys(("AvgPool1d", "AvgPool2d", "AvgPool3d"), (2,)),
    **dict.fromkeys(("MaxPool1d", "MaxPool2d", "MaxPool3d"), (2,)),
    **dict.fromkeys(("MultiHeadAttention", "TransformerBlock", "Upsample"), (2,)),
    **dict.fromkeys(("RotaryEmbedding", "FeedForward", "SwiGLU"), ()),
    **dict.fromkeys(("SGD", "MomentumSGD", "Muon"), ()),
}
"""The required arguments of each function, layer and optimizer that has a flag."""

MODULES = F, L, O


def flags() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Yield the name, the callable and a flag of each public function, layer and optimizer."""
    for module in MODULES:
        for name in module.__all__:
            found = getattr(module, name)
            is_op = isinstance(found, type) and module is F
            if not is_op:
                function = found.__init__ if isinstance(found, type) else found
                for key, parameter in inspect.signature(function).parameters.items():
                    if str(parameter.annotation) in ("bool", "bool | None"):
                        yield name, found, key


@pytest.mark.parametrize(("name", "function", "flag"), list(flags()))
def test_a_flag_is_a_bool(name: str, function: Callable[..., Any], flag: str) -> None:
    for wrong in ("no", X):
        with pytest.raises(ArgumentTypeError, match=f"{flag} .*True or False") as caught:
            function(*FLAGS[name], **{flag: wrong})
        assert "\n" not in str(caught.value)


BIG = 2**70

LARGE: list[Callable[[], object]] = [
    lambda: F.sum(X, axis=BIG),
    lambda: F.softmax(X, axis=BIG),
    lambda: F.max(X, axis=(BIG,)),
    lambda: F.concat([X, X], axis=BIG),
    lambda: F.expand_dims(X, axis=-BIG),
    lambda: F.roll(X, 1, axis=BIG),
    lambda: F.reshape(X, (BIG,)),
    lambda: F.broadcast_to(X, (BIG, 4)),
    lambda: F.repeat(X, (BIG, BIG), 0),
    lambda: F.tile(X, BIG),
    lambda: F.tril(X, BIG),
    lambda: F.round(X, 400),
    lambda: F.one_hot(np.array([0]), BIG),
    lambda: F.adaptive_max_pool2d(IMAGES, BIG),
    lambda: F.conv2d(IMAGES, IMAGES, stride=BIG),
    lambda: F.conv2d(IMAGES, IMAGES, pad=(BIG, BIG)),
    lambda: F.max_pool1d(SIGNALS, 2, stride=BIG),
    lambda: L.Linear(BIG),
    lambda: L.LSTM(3, num_layers=BIG),
    lambda: L.Conv2d(3, BIG),
    lambda: L.Embedding(BIG, 3),
    lambda: L.LayerNorm(BIG),
    lambda: transforms.RandomCrop(2, padding=BIG),
]


@pytest.mark.parametrize("call", LARGE)
def test_integers_that_fit_no_array_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(DezeroError, match=r"^\w+: "):
        call()


def test_a_seed_may_have_128_bits() -> None:
    dezero.seed(2**127)


COMPLEX = X.astype("complex64")

EXPLAINED: list[tuple[Callable[[], object], str]] = [
    (lambda: F.mish([1.0]), "mish: x is of type list; expected an array"),
    (lambda: F.sigmoid_cross_entropy(COMPLEX, X), "sigmoid_cross_entropy: arrays of complex64"),
    (lambda: F.softmax(COMPLEX), "softmax: arrays of complex64 are not supported"),
    (lambda: F.layer_norm(True), "layer_norm: x is of type bool; expected an array"),
    (lambda: F.concat(3), "concat: xs is of type int; expected a list of arrays"),
    (lambda: F.stack(np.float32(3)), "stack: xs is of type float32; expected a list of arrays"),
    (lambda: F.gelu(X, X), "gelu: approximate .*; expected 'none' or 'tanh'"),
    (lambda: F.mse_loss(X, X, reduction=X), "mse_loss: reduction .*: expected one of"),
    (lambda: F.pad(X, ((1, 1), (1, 1)), mode=["edge"]), "pad: mode .*: expected 'constant'"),
    (lambda: F.interpolate(IMAGES, 3, mode={}), "interpolate: mode {}"),
    (lambda: F.interpolate(IMAGES, None, np.nan), "interpolate: scale_factor nan: expected"),
    (lambda: F.topk(X, X), r"topk: k array\(.{,30} \(ndarray\): expected an integer$"),
    (lambda: L.RNN(3, nonlinearity=X), "RNN: nonlinearity .*; expected 'tanh' or 'relu'"),
    (lambda: L.LSTM(3, in_size="4"), "LSTM: in_size '4'"),
    (lambda: L.Linear(3, dtype=[X]), "Linear: dtype .*; expected a floating dtype"),
    (lambda: MLP((3, 2), in_size=0), "MLP: in_size 0 is below 1"),
    (lambda: CNN(10, channels=()), r"CNN: channels .*\(32, 64\)"),
    (lambda: CNN(None), "CNN: out_size None"),
    (lambda: dezero.datasets.Spiral(train="no"), "Spiral: train is 'no'"),
    (lambda: O.LBFGS(line_search_fn=X), "LBFGS: line_search_fn is"),
    (lambda: dezero.initializers.ones(X), "ones: param is of type ndarray"),
    (lambda: L.Conv2d(3, 3, groups=0), "Conv2d: groups 0 is below 1"),
    (lambda: L.LayerNorm(-1), "LayerNorm: shape -1 is below 0"),
    (lambda: L.Embedding(3, 4, generator=0), "Embedding: generator 0 .*random generator"),
    (lambda: dezero.initializers.He(0), "He: generator 0"),
    (lambda: transforms.AsType("no"), "AsType: dtype 'no'; expected a dtype of NumPy"),
    (lambda: transforms.ToInt(None), "ToInt: dtype None; expected a dtype of NumPy"),
    (lambda: GPT(5, 4, 4, 2, 1).generate([1], 2), "GPT.generate: ids is of type list"),
    (lambda: GPT(5, 4, 4, 2, 1).generate(IDS, 2, temp=1), "GPT.generate: unknown keyword 'temp'"),
]


@pytest.mark.parametrize(("call", "message"), EXPLAINED)
def test_a_wrong_argument_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(DezeroError, match=f"^{message}"):
        call()


def test_weights_are_drawn_between_limits_in_order() -> None:
    weight = dezero.Parameter(X.copy())
    with pytest.raises(ArgumentError, match=r"uniform: low 1.0, high 0.5: expected"):
        dezero.initializers.uniform(weight, 1.0, 0.5)
    with pytest.raises(ArgumentError, match="xavier_normal: gain is -1.0; expected"):
        dezero.initializers.xavier_normal(weight, -1.0)
    assert np.array_equal(weight.data, X)
