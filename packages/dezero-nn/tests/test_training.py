"""Test `Layer.train` and `Layer.eval`, whose flag overrides `Config.train`."""

import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dezero_core import Config, Variable, inherit, no_grad, seed, test_mode, using_config
from dezero_core import functions as CF
from dezero_core.errors import ArgumentError
from dezero_core.extend import generator
from dezero_core.state import streams
from dezero_nn import CNN, MLP, SGD, BatchNorm, Dropout, Layer, Linear, Model, Sequential
from dezero_nn import functions as F
from dezero_nn.layers.training import without_flags

X = np.linspace(-1, 1, 60, dtype="float32").reshape(6, 10)


class Both(Model):
    """A model with batch normalisation, and dropout as a layer and as a function."""

    def __init__(self) -> None:
        self.norm = BatchNorm()
        self.lists = [Linear(20, in_size=10), (Dropout(), {"drop": Dropout()})]

    def forward(self, x: Any) -> Any:
        linear, (first, named) = self.lists
        return F.dropout(named["drop"](first(linear(self.norm(x)))))


def trains(model: Layer) -> bool:
    """Return whether dropout and the running statistics behave as in training; both must agree."""
    model(X)
    before = np.array(model.norm.avg_mean.data)
    drops = not np.array_equal(model(X).data, model(X).data)
    assert drops != np.array_equal(before, model.norm.avg_mean.data)
    return drops


CALLS: dict[str, tuple[Callable[[Any], Any], bool, bool]] = {
    # the calls, whether the model trains after them, and whether it does in test_mode()
    "nothing": (lambda model: model, True, False),
    "eval": (lambda model: model.eval(), False, False),
    "train(False)": (lambda model: model.train(False), False, False),
    "train": (lambda model: model.train(), True, True),
    "train(mode=True)": (lambda model: model.train(mode=True), True, True),
    "eval, train": (lambda model: model.eval().train(), True, True),
    "train, eval": (lambda model: model.train().eval(), False, False),
    "eval, train(None)": (lambda model: model.eval().train(None), True, False),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("twin", [lambda x: x, copy.copy, copy.deepcopy, "pickle"])
def test_the_flag_wins(name: str, twin: Any) -> None:
    call, outside, inside = CALLS[name]
    model = Both()
    assert call(model) is model
    model = pickle.loads(pickle.dumps(model)) if twin == "pickle" else twin(model)
    layers = [model, model.norm, model.lists[1][0], model.lists[1][1]["drop"]]
    assert trains(model) is outside
    assert [layer.training for layer in layers] == [outside] * 4
    with test_mode():
        assert trains(model) is inside
        assert [layer.training for layer in layers] == [inside] * 4
    Config.train = False
    try:
        assert trains(model) is inside
    finally:
        Config.train = True


def test_functions_see_the_innermost_layer_with_a_flag() -> None:
    seen: list[bool] = []

    class Seeing(Layer):
        def __init__(self, *below: Layer) -> None:
            self.below = below

        def forward(self, x: Any) -> Any:
            for layer in self.below:
                layer(x)
            seen.append(Config.train)
            return x

    inner, bare = Seeing(), Seeing()
    outer = Seeing(Seeing(inner), bare).eval()
    inner.train()
    bare.train(None)
    outer(X)
    assert seen == [True, False, False, False]
    assert Config.train
    with pytest.raises(ZeroDivisionError):
        Sequential(lambda x: 1 / 0).eval()(X)
    assert Config.train
    seen.clear()
    with using_config("train", False), without_flags():
        outer(X)
        assert not inner.training
    assert seen == [False] * 4


def test_a_layer_added_later_follows_the_layer_that_calls_it() -> None:
    model = Both().eval()
    model.lists[1] = (Dropout(), {"drop": Dropout()})
    assert not trains(model)
    assert model.lists[1][0].training, "it has no flag, and nobody is calling it"


@pytest.mark.parametrize("make", [lambda: CNN(3, (4, 8), 100), lambda: Sequential(F.dropout)])
def test_dropout_as_a_function_in_our_models(make: Any) -> None:
    model, x = make(), np.cos(np.arange(2 * 64, dtype="float32")).reshape(2, 1, 8, 8)
    assert not np.array_equal(model(x).data, model(x).data)
    model.eval()
    assert np.array_equal(model(x).data, model(x).data)


def test_a_forward_that_yields() -> None:
    class Pieces(Layer):
        def forward(self, x: Any) -> Iterator[bool]:
            yield Config.train
            yield Config.train

    assert list(Pieces().eval()(X)) == [False, False]
    pieces = Pieces().eval()(X)
    assert not next(pieces) and Config.train


def test_a_frozen_part_stays_in_evaluation() -> None:
    class Frozen(Model):
        def __init__(self) -> None:
            self.norm = BatchNorm()

        def train(self, mode: bool | None = True) -> Any:
            super().train(mode)
            self.norm.eval()
            return self

        def forward(self, x: Any) -> Any:
            return self.norm(x)

    part = Frozen()
    model = Sequential(part, Dropout())
    assert model.train() is model and model.training and model.l1.training and part.training
    assert not part.norm.training
    part.eval()
    assert not part.training and model.training


def model_with(train: Any = None, evaluate: Any = None, **attributes: Any) -> Model:
    methods = {name: f for name, f in (("train", train), ("eval", evaluate)) if f is not None}

    def __init__(self: Any) -> None:
        vars(self).update(vars(Both()))
        for name, value in attributes.items():
            setattr(self, name, value)

    return type("Net", (Both,), {"__init__": __init__, **methods})()


OWN: dict[str, Any] = {
    "train(x, t)": lambda: model_with(train=lambda self, x, t: 1 / 0),
    "train(x, mode)": lambda: model_with(train=lambda self, x, mode="fast": 1 / 0),
    "train()": lambda: model_with(train=lambda self: 1 / 0),
    "train(mode, x)": lambda: model_with(train=lambda self, mode, x: 1 / 0),
    "eval(x)": lambda: model_with(evaluate=lambda self, x: 1 / 0),
    "static train": lambda: model_with(train=staticmethod(lambda x: 1 / 0)),
    "train is no method": lambda: model_with(train=3),
    "train is a layer of the class": lambda: model_with(train=Linear(1)),
    "train = True": lambda: model_with(train=True),
    "self.train": lambda: model_with(**{"train": None, "eval": False}),
}


@pytest.mark.parametrize("name", OWN)
def test_names_that_a_subclass_uses_for_itself(name: str) -> None:
    part = OWN[name]()
    assert trains(part)
    with test_mode():
        assert not trains(part)
    model = Sequential(part)
    model.eval()
    assert not trains(part) and not part.training
    Layer.train(part)
    assert trains(part)
    part = OWN[name]()
    if "eval" not in name and name != "self.train":
        assert part.eval() is part and not trains(part)


@pytest.mark.parametrize("value", [3, "words", None, [], (2, 3), Linear(1), 2.0, np.ones(2)])
def test_an_attribute_training_that_is_not_a_truth_value(value: Any) -> None:
    model = model_with(training=value)
    assert model.training is value
    model.eval()
    assert not trains(model) and model.training is value
    assert ("training/W" in model.named_params()) is isinstance(value, Linear)
    del model.training
    assert model.training is False and not trains(model)
    assert trains(model.train())


def test_an_attribute_training_that_is_a_truth_value() -> None:
    model = model_with(training=True)
    assert trains(model)
    with test_mode():
        assert not trains(model), "assigning True is no flag"
    model.training = False
    assert not trains(model) and not model.training
    model.eval()
    model.norm.training = True
    assert model.norm.training and not model.training
    model.training = True
    assert model.training
    del model.training
    with pytest.raises(AttributeError, match="no training to delete"):
        del model.training

    class OfClass(Both):
        training = True

    of_class = OfClass()
    assert not trains(of_class.eval()) and not of_class.training and OfClass.training
    assert trains(of_class.train()) and of_class.training


@pytest.mark.parametrize("of", [np.bool_, np.array, int])
def test_what_counts_as_a_truth_value(of: Any) -> None:
    model = model_with(training=of(False))
    assert model.training is False and not trains(model)
    model.eval().training = of(True)
    assert model.training is True
    if of is not int:
        assert trains(model.train(of(True))) and not trains(model.train(of(False)))


def test_a_slice_has_the_same_flag() -> None:
    model = Sequential(F.dropout, F.relu)
    for mode in (True, False, None):
        part = model.train(mode)[:1]
        assert part.training is model.training
        drops = not np.array_equal(part(X).data, X)
        with test_mode():
            assert part.training is bool(mode) and drops is (mode is not False)


def test_a_dataclass_with_a_field_training() -> None:
    @dataclass
    class Block(Layer):
        training: bool
        size: int = 3

        def __post_init__(self) -> None:
            self.linear = Linear(self.size)

    block = Block(True)
    assert block.training and not block.eval().training
    with pytest.raises(TypeError):
        Block()  # type: ignore[call-arg]
    assert not hasattr(Layer, "training")


@pytest.mark.parametrize("mode", [0, 1, "eval", "train", X, [], SGD()])
def test_other_modes_are_refused(mode: Any) -> None:
    model = Both().eval()
    with pytest.raises(
        ArgumentError, match=r"Both\.train: mode is .*expected True, False, or None"
    ):
        model.train(mode)
    assert not model.training


def test_layers_that_are_shared_or_contain_themselves() -> None:
    shared = Dropout()
    model = Sequential(shared, Sequential(shared))
    model.shared, model.itself, shared.above = shared, model, model
    model.eval()
    assert [x.training for x in (model, shared, model.l1)] == [False] * 3


def test_the_flag_is_not_a_weight_and_not_shown() -> None:
    plain, flagged = MLP((3, 2), in_size=4), MLP((3, 2), in_size=4).eval()
    assert repr(flagged) == repr(plain)
    assert list(flagged.named_params()) == list(plain.named_params())
    assert flagged.to_cpu() is flagged and flagged.to("numpy") is flagged and not flagged.training


def test_a_summary_is_an_evaluation(capsys: Any) -> None:
    model = Both().train()
    model(X)
    mean, own = np.array(model.norm.avg_mean.data), streams().seeded
    seed(0)
    model.summary(X)
    assert np.array_equal(mean, model.norm.avg_mean.data)
    assert generator().random() == np.random.default_rng(0).random(), "nothing was drawn"
    streams().seeded = own
    assert model.training and "norm" in capsys.readouterr().out


def test_backward_and_updates_in_evaluation() -> None:
    model = Both()
    model(X)
    model.eval()
    optimizer = SGD(0.1).setup(model)
    before = np.array(model.lists[0].W.data)
    CF.sum(model(X)).backward()
    optimizer.update()
    assert not np.array_equal(before, model.lists[0].W.data)
    with no_grad():
        assert not model(X).requires_grad


def serve(model: Model, function: Callable[[Any], Variable]) -> bool:
    """Run a server of four threads; return whether its answers are those of an evaluation."""
    with test_mode():
        expected = Layer.__call__(model, X).data
    model.norm.avg_mean.data = model.norm.avg_mean.data.copy()
    mean = np.array(model.norm.avg_mean.data)
    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(function, X) for _ in range(20)]]
        answers += pool.map(function, [X] * 20)
    same = all(np.array_equal(y.data, expected) for y in answers)
    return same and np.array_equal(mean, model.norm.avg_mean.data)


def test_a_server_with_batch_norm_and_dropout() -> None:
    model = Both()
    model(X)
    with no_grad(), test_mode():
        assert not serve(model, model), "the blocks of this thread do not hold in the server's"
        function = inherit(model)
        assert serve(model, function)
    assert not function(X).requires_grad and model(X).requires_grad
    assert serve(model.eval(), model)
    assert inherit(model)(X).requires_grad


def test_a_training_thread_beside_a_server() -> None:
    server, trainer = Both().eval(), Both().train()
    modes: list[bool] = []

    def train() -> None:
        modes.extend(trains(trainer) for _ in range(10))

    thread = threading.Thread(target=train)
    thread.start()
    assert not any(trains(server) for _ in range(10))
    thread.join()
    assert modes == [True] * 10
