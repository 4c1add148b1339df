"""Test that hints exist only for missing names, and that their replacements exist."""

import importlib
import re
from collections.abc import Callable
from inspect import signature
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
import dezero_core.hints
import dezero_io.data.hints
import dezero_nn
import dezero_nn.formulas
import dezero_nn.hints
from dezero import DataLoader, SeqDataLoader, Variable
from dezero.optimizers import SGD
from dezero_core.errors import CallError, DezeroError
from dezero_core.hints import ADVICE, KEYWORDS, signature_of

X = Variable(np.ones((2, 2)))
LAYER = dezero.layers.Linear(2)
TABLES: list[tuple[str, dict[str, str], list[Any]]] = [
    ("VARIABLE", dezero_core.hints.VARIABLE, [X]),
    ("FUNCTIONS", dezero_nn.hints.FUNCTIONS, [dezero.functions]),
    ("LAYERS", dezero_nn.hints.LAYERS, [dezero.layers, dezero_nn.layers]),
    ("MODELS", dezero_nn.hints.MODELS, [dezero.models, dezero_nn.models]),
    ("OPTIMIZERS", dezero_nn.hints.OPTIMIZERS, [dezero.optimizers, dezero_nn.optimizers]),
    ("INITIALIZERS", dezero_nn.hints.INITIALIZERS, [dezero.initializers]),
    ("LAYER", dezero_nn.hints.LAYER, [LAYER, dezero.Model()]),
    ("OPTIMIZER", dezero_nn.hints.OPTIMIZER, [SGD().setup(LAYER)]),
    ("SCHEDULE", dezero_nn.hints.SCHEDULE, [dezero.optimizers.StepDecay(SGD(), 2)]),
    ("TOP", dezero_nn.hints.TOP, [dezero]),
    ("CUDA", dezero_nn.hints.CUDA, [dezero.cuda]),
    ("FUNCTION", dezero_core.hints.FUNCTION, [dezero.Function()]),
    ("FORMULAS", dezero_nn.formulas.FORMULAS, [dezero, X]),
    ("UTILS", dezero_nn.hints.UTILS, [dezero.utils]),
    ("DATASETS", dezero_io.data.hints.DATASETS, [dezero.datasets]),
    ("TRANSFORMS", dezero_io.data.hints.TRANSFORMS, [dezero.transforms]),
]
ROOTS = {
    "F": dezero.functions,
    "L": dezero.layers,
    "x": X,
    "y": X,
    "loss": X,
    "model": dezero.models.MLP((2, 1)),
    "layer": dezero.layers.Linear(2),
    "optimizer": SGD().setup(LAYER),
    "schedule": dezero.optimizers.StepDecay(SGD(), 2),
    "self": F.exp(X).creator,
    "dezero": dezero,
}


@pytest.mark.parametrize(("table", "hints", "owners"), TABLES, ids=lambda v: str(v)[:12])
def test_only_names_that_do_not_exist_have_hints(
    table: str, hints: dict[str, str], owners: list[Any]
) -> None:
    for owner in owners:
        for name, hint in hints.items():
            with pytest.raises(AttributeError) as caught:
                getattr(owner, name)
            message = f"has no attribute {name!r}; in DeZero: {hint}"
            assert str(caught.value).endswith(message), table
            if isinstance(owner, ModuleType):
                with pytest.raises(ModuleNotFoundError):
                    importlib.import_module(f"{owner.__name__}.{name}")


@pytest.mark.parametrize(("table", "hints", "owners"), TABLES, ids=lambda v: str(v)[:12])
def test_the_replacement_in_a_hint_exists(table: str, hints: dict[str, str], owners: Any) -> None:
    for name, hint in hints.items():
        for path in re.findall(r"(?<![\w.'])(?:[a-z]+|F|L)(?:\.\w+)+", hint):
            root, *rest = path.split(".")
            found = ROOTS.get(root)
            for part in rest if found is not None and "= " not in hint else ():
                assert hasattr(found, part), f"{table}: {name}: {hint}"
                found = getattr(found, part)


def test_keyword_hints_name_existing_parameters() -> None:
    modules = (dezero.functions, dezero.layers)
    things = [getattr(module, name) for module in modules for name in module.__all__]
    rules = [dezero.optimizers.SGD, dezero.optimizers.Adam, dezero.grad]
    parameters = {name for thing in (*things, *rules) for name in signature(thing).parameters}
    assert set(KEYWORDS) <= parameters
    for thing in things:
        if isinstance(thing, type):
            found = set(ADVICE) & set(signature_of(thing.__init__).parameters)
            # some layers take these, and others have other names for them
            assert found <= {"activation", "affine", "batch_first", "bias", "dtype", "momentum"}, (
                thing
            )


MODULES = [
    dezero, dezero.functions, dezero.layers, dezero.models, dezero.optimizers, dezero.initializers,
    dezero.datasets, dezero.transforms,
]  # fmt: skip
MANY_NAMES = "if 0: " + ", ".join(f"name{n}" for n in range(300))
"""A statement that makes the index of later names of the program larger than a byte."""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_failed_import_of_a_name_shows_its_hint(module: ModuleType) -> None:
    hints = next(hints for _, hints, owners in TABLES if module in owners)
    name, hint = next(iter(hints.items()))
    statement = f"from {module.__name__} import {name}"
    for program in (statement, f"{MANY_NAMES}\n{statement}"):
        with pytest.raises(ImportError, match=re.escape(f"{name!r}; in DeZero: {hint}")) as caught:
            exec(program, {})
        assert caught.value.name == module.__name__
    with pytest.raises(ImportError, match="cannot import name 'no_such'"):
        exec(f"from {module.__name__} import no_such", {})
    assert not hasattr(module, name)


@pytest.mark.parametrize(
    "name", ["sin", "MLP", "Dropout", "Spiral", "AdamW", "plot_dot_graph", "He", "Compose"]
)
def test_dezero_says_which_of_its_modules_has_a_name(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"; in DeZero: dezero\.\w+\.{name}$") as caught:
        getattr(dezero, name)
    module = importlib.import_module(str(caught.value).split()[-1].removesuffix(f".{name}"))
    assert hasattr(module, name)


def test_hasattr_copy_and_pickle_work_as_without_hints() -> None:
    import copy
    import pickle

    assert not hasattr(X, "view")
    assert "view" not in dir(X)
    assert "reshape" in dir(X)
    assert getattr(LAYER, "zero_grad", None) is None
    for thing in (Variable(np.ones(2)), LAYER, dezero.models.MLP((2, 1))):
        copy.deepcopy(thing)
        pickle.loads(pickle.dumps(thing))
    assert pickle.loads(pickle.dumps(dezero.functions.softmax)) is dezero.functions.softmax


def test_an_error_inside_a_property_is_raised_unchanged() -> None:
    class Net(dezero.Model):
        @property
        def depth(self) -> int:
            return self.blocks.missing_method()  # type: ignore[attr-defined]

    net = Net()
    net.blocks = []
    with pytest.raises(AttributeError, match="'list' object has no attribute 'missing_method'"):
        net.depth


def test_a_type_error_inside_a_function_is_raised_unchanged() -> None:
    @dezero_core.hints.hinted
    def double(x: Any) -> Any:
        return x.missing_method() if isinstance(x, list) else x + "x"

    with pytest.raises(TypeError, match="^unsupported operand type"):
        double(1)
    with pytest.raises(AttributeError, match="^'list' object has no attribute"):
        double([1])


ONES = np.ones((2, 4, 6))
WRONG_CALLS: list[tuple[Callable[[], Any], str]] = [
    (lambda: F.softmax_cross_entropy(x=X), "softmax_cross_entropy: missing a required argument: "),
    (lambda: F.batch_norm(ONES, ONES, ONES), "mean'; the call is batch_norm(x, gamma, beta, mean"),
    (lambda: F.sum([1.0], axis=0), "sum: x is of type list; expected an array; make an array"),
    (lambda: F.gelu([1.0]), "gelu: x is of type list; expected"),
    (lambda: F.group_norm(ONES, 2, [1.0] * 4), "group_norm: gamma is of type list"),
    (lambda: F.instance_norm(ONES, beta=(1.0,) * 4), "instance_norm: beta is of type tuple"),
    (lambda: F.batch_norm(ONES, [1], [0], [0], [1]), "batch_norm: gamma is of type list"),
    (lambda: F.embedding([1, 2], ONES[0]), "embedding: ids is of type list"),
    (lambda: F.cross_entropy(X, np.array([0, 1]), weight=[1.0, 2.0]), "weight is of type list"),
    (lambda: F.conv1d(ONES, [[[1.0]]]), "conv1d: W is of type list"),
    (lambda: F.layer_norm(ONES, [6]), "layer_norm: gamma is [6]; expected an array or None. The l"),
    (lambda: F.layer_norm(ONES, beta=(6,)), "layer_norm: beta is (6,)"),
    (lambda: F.rms_norm(ONES, 6), "rms_norm: gamma is 6; expected an array or None"),
    (lambda: F.scaled_dot_product_attention(ONES, ONES, ONES, [True]), "mask is of type list"),
    (lambda: F.scaled_dot_product_attention(ONES, ONES, ONES, enable_gqa=True), "fewer heads than"),
    (lambda: F.std(ONES, ddof=1), "unknown keyword 'ddof' (write correction)"),
    (lambda: F.clip(ONES, a_min=0), "unknown keyword 'a_min' (write x_min)"),
    (lambda: F.sum(ONES, dtype="float32"), "'dtype' (x.astype(dtype) converts an array)"),
    (lambda: F.multinomial(ONES, num_samples=1), "unknown keyword 'num_samples' (write n)"),
    (lambda: L.GroupNorm(2, num_channels=4), "unknown keyword 'num_channels' (write channels)"),
    (lambda: L.MultiHeadAttention(2, embed_dim=4), "unknown keyword 'embed_dim' (write size)"),
    (lambda: L.MultiHeadAttention(2, 4, batch_first=True), "(the batch is always the first axis)"),
    (lambda: L.RMSNorm(normalized_shape=4), "unknown keyword 'normalized_shape' (write size)"),
    (lambda: L.ConvTranspose2d(4, 3, 3, pad=1), "unknown keyword 'pad' (write padding)"),
    (lambda: L.Linear(2, bias=False), "unknown keyword 'bias' (nobias=True leaves the bias out)"),
    (lambda: L.GRU(2, bias=False), "unknown keyword 'bias' (nobias=True leaves the bias out)"),
    (lambda: L.Linear(2)(), "Linear.forward: missing a required argument: 'x'; the call is Linear"),
    (lambda: L.LSTM(2)(ONES, mask=1), "LSTM.forward: unknown keyword 'mask'; the call is LSTM.fo"),
    (lambda: L.Linear(2)(ONES, ONES, ONES), "Linear.forward: too many positional arguments"),
    (lambda: L.Linear(2)([[1.0, 2.0]]), "Linear.forward: x is of type list; expected an array"),
    (lambda: L.ReLU()((1.0,)), "ReLU.forward: x is of type tuple; expected an array"),
    (lambda: dezero.models.MLP((2,))([1.0]), "Linear.forward: x is of type list"),
    (lambda: L.MultiHeadAttention(2)([1.0]), "MultiHeadAttention.forward: x is of type list"),
    (lambda: DataLoader([1], 1, pin_memory=True), "'pin_memory' (gpu=True copies the batches"),
    (lambda: DataLoader([1], 1, persistent_workers=True), "(each loop starts its workers by fork"),
    (lambda: SeqDataLoader([1], 1, shuffle=True), "'shuffle' (the examples stay in order)"),
    (
        lambda: DataLoader([1]),
        "DataLoader: missing a required argument: 'batch_size'; the call is D",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_errors_name_the_wrong_argument(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DezeroError, match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, TypeError)


CLASSES = [
    getattr(module, name)
    for module in (L, dezero.optimizers, dezero.dataloaders, dezero.datasets, dezero.transforms)
    for name in module.__all__
    if getattr(getattr(module, name), "__init__", object.__init__) is not object.__init__
    and isinstance(getattr(module, name), type)
]


@pytest.mark.parametrize("cls", dict.fromkeys(CLASSES), ids=lambda cls: cls.__name__)
def test_classes_explain_unknown_keywords_and_show_their_parameters(cls: Any) -> None:
    with pytest.raises(CallError, match=f"^{cls.__name__}: unknown keyword 'no_such'"):
        cls(no_such=1)
    if "__new__" not in vars(cls):  # a base class, which programs do not call
        assert "kwargs" not in signature(cls).parameters


WINDOWS = [
    *[(f"conv{n}d", lambda f, n=n, **k: f(*filtered(n), **k)) for n in (1, 2, 3)],
    *[(f"conv_transpose{n}d", lambda f, n=n, **k: f(*filtered(n), **k)) for n in (1, 2, 3)],
    *[
        (f"{kind}_pool{n}d", lambda f, n=n, kernel_size=2, **k: f(images(n), kernel_size, **k))
        for kind in ("max", "avg")
        for n in (1, 2, 3)
    ],
    *[
        (name, lambda f, kernel_size=2, **k: f(images(2), kernel_size, **k))
        for name in ("pooling", "pooling_simple", "average_pooling", "im2col", "unfold")
    ],
    ("lp_pool2d", lambda f, kernel_size=2, **k: f(images(2), 2, kernel_size, **k)),
    ("deconv2d", lambda f, **k: f(*filtered(2), **k)),
    ("col2im", lambda f, kernel_size=2, **k: f(images(2), (1, 1, 4, 4), kernel_size, **k)),
]
"""Ops of windows, and how to call each with settings by keyword."""


def images(n: int) -> Any:
    return np.ones((1, 1, *(4,) * n), "float32")


def filtered(n: int) -> tuple[Any, Any]:
    return images(n), np.ones((1, 1, *(2,) * n), "float32")


@pytest.mark.parametrize(("name", "call"), WINDOWS, ids=lambda part: str(part)[:20])
def test_ops_of_windows_name_themselves_and_the_wrong_setting(name: str, call: Any) -> None:
    function = getattr(F, name)
    for setting, value in dict(kernel_size=0, stride=0, dilation=0, pad=-1, padding=-1).items():
        takes_kernel = setting != "kernel_size" or "W" not in signature(function).parameters
        if setting in signature(function).parameters and takes_kernel:
            with pytest.raises(DezeroError, match=rf"^{name}: pad\w* -1|^{name}: \w+ 0 is below 1"):
                call(function, **{setting: value})
