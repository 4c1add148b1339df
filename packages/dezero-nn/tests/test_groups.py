"""Test groups of parameters with settings of their own."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable
from dezero_core.errors import (
    ArgumentError,
    ArgumentTypeError,
    DezeroError,
    GraphError,
    KeyMismatch,
)
from dezero_nn import (
    MLP,
    SGD,
    AdaDelta,
    Adam,
    AdamW,
    BatchNorm,
    CosineDecay,
    Linear,
    Optimizer,
    StepDecay,
)


def is_vector(param: Parameter) -> bool:
    return param.ndim < 2


def with_groups() -> tuple[MLP, AdamW, StepDecay]:
    """Return a model whose vectors do not decay, and whose last matrix has a rate of its own."""
    model = MLP((4, 3), in_size=5)
    for i, p in enumerate(model.named_params().values()):
        p.data = np.sin(np.arange(p.size) + i).reshape(p.shape).astype("float32")
    optimizer = AdamW(0.1, weight_decay=0.5).setup(model)
    optimizer.add_group(is_vector, weight_decay=0.0).add_group(model.l1.W, lr=0.01)
    return model, optimizer, StepDecay(optimizer, 2)


def train(model: MLP, optimizer: Optimizer, schedule: Any, steps: int) -> dict[str, Any]:
    for step in range(steps):
        for i, p in enumerate(model.named_params().values()):
            p.grad = Variable(np.cos(np.arange(p.size) + step + i).reshape(p.shape).astype("f"))
        optimizer.update()
        schedule.step()
    return {key: p.data.copy() for key, p in model.named_params().items()}


def alone(param: Any, i: int, optimizer: Optimizer, steps: int) -> Any:
    """Return a parameter trained alone, with the gradients and the schedule of `train`."""
    layer = [Parameter(param.data.copy())]
    optimizer.setup(layer)
    schedule = StepDecay(optimizer, 2)
    for step in range(steps):
        layer[0].grad = Variable(np.cos(np.arange(param.size) + step + i).reshape(param.shape))
        optimizer.update()
        schedule.step()
    return layer[0].data


def test_each_group_is_updated_as_if_it_had_an_optimizer_of_its_own() -> None:
    model, optimizer, schedule = with_groups()
    own = {
        "l0/W": AdamW(0.1, weight_decay=0.5), "l0/b": AdamW(0.1, weight_decay=0.0),
        "l1/W": AdamW(0.01, weight_decay=0.5), "l1/b": AdamW(0.1, weight_decay=0.0),
    }  # fmt: skip
    start = {key: copy.deepcopy(p) for key, p in model.named_params().items()}
    got = train(model, optimizer, schedule, 5)
    for i, (key, rule) in enumerate(own.items()):
        np.testing.assert_allclose(got[key], alone(start[key], i, rule, 5), rtol=1e-5, err_msg=key)
    assert optimizer.alpha == pytest.approx(0.001) and optimizer.weight_decay == 0.5


def in_a_new_model(run: Any) -> Any:
    model, optimizer, schedule = run
    other = MLP((4, 3), in_size=5)
    for p, q in zip(other.params(), model.params(), strict=True):
        p.data = q.data.copy()
    rule = AdamW().setup(other)
    ahead = StepDecay(rule, 2)
    rule.load_state_dict(optimizer.state_dict())
    ahead.load_state_dict(schedule.state_dict())
    return other, rule, ahead


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run)), in_a_new_model]
)
def test_groups_are_copied_and_saved(copied: Any) -> None:
    run = with_groups()
    train(*run, 3)
    other = copied(run)
    assert repr(other[1]) == repr(run[1])
    assert repr(run[1]).endswith(
        "with Group(2 parameters, weight_decay=0.0), Group(1 parameter, alpha=0.01)"
    )
    assert {id(p) for g in other[1].groups for p in g.params} <= {id(p) for p in other[0].params()}
    got, wanted = train(*other, 3), train(*run, 3)
    assert all(np.array_equal(got[key], wanted[key]) for key in wanted)


def test_a_shallow_copy_has_groups_of_the_same_parameters() -> None:
    _, optimizer, _ = with_groups()
    other = copy.copy(optimizer)
    assert other.groups[0].settings is not optimizer.groups[0].settings
    for ours, theirs in zip(other.groups, optimizer.groups, strict=True):
        assert [id(p) for p in ours.params] == [id(p) for p in theirs.params]


def test_a_state_without_groups_changes_no_groups() -> None:
    """Load a state in the form of earlier versions, which had no groups."""
    model, optimizer, _ = with_groups()
    state = AdamW(0.3).setup(model).state_dict()
    assert set(state) == {"settings", "parameters"}
    optimizer.load_state_dict(state)
    assert optimizer.lr == 0.3 and len(optimizer.groups) == 2


def test_a_state_with_unknown_groups_is_refused() -> None:
    state = with_groups()[1].state_dict()
    state["parameters"] = {}
    with pytest.raises(KeyMismatch, match="'l1/b', 'l1/W'"):
        AdamW().setup(MLP((4,), in_size=5)).load_state_dict(state)
    rule = AdamW().setup(MLP((4, 3), in_size=5))
    state["groups"][0]["settings"]["weight_decay"] = -1.0
    with pytest.raises(ArgumentError, match="weight_decay is -1"):
        rule.load_state_dict(state)
    assert not rule.groups and rule.alpha == 0.001 and rule.weight_decay == 0.01


def test_all_rates_follow_the_optimizers_rate() -> None:
    layer = Linear(2, in_size=2)
    for p in layer.params():
        p.data = np.zeros(p.shape)
    optimizer = SGD(0.5).setup(layer)
    schedule = CosineDecay(optimizer, 2)
    schedule.step()  # a group's rate is the rate at the start of the schedule
    optimizer.add_group(layer.b, lr=0.1)
    for p in layer.params():
        p.grad = Variable(np.ones(p.shape))
    optimizer.step()
    assert np.all(layer.W.data == -0.25) and np.all(layer.b.data == -0.05)
    optimizer.lr = 1.0
    optimizer.step()
    assert np.all(layer.W.data == -1.25) and layer.b.data == pytest.approx(-0.25)


class Book(Optimizer):
    """An optimizer that overrides ``update_one``, as in the book."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.lr, self.updates = lr, 0

    def update_one(self, param: Parameter) -> None:
        self.updates += 1
        param.data -= self.lr * param.grad.data


def test_groups_work_with_optimizers_written_as_in_the_book() -> None:
    layer = Linear(2, in_size=2)
    layer.W.data[...], layer.b.data[...] = 0.0, 0.0
    optimizer = Book().setup(layer)
    optimizer.add_group(lambda p: p.name == "b", lr=0.5)
    for p in layer.params():
        p.grad = Variable(np.ones(p.shape, "f"))
    optimizer.update()
    assert np.allclose(layer.W.data, -0.1) and np.all(layer.b.data == -0.5)
    assert optimizer.updates == 2 and optimizer.lr == 0.1


def test_settings_are_restored_after_an_error_in_the_update() -> None:
    layer = Linear(2, in_size=2)
    optimizer = SGD(0.1).setup(layer)
    optimizer.add_group(layer, lr=0.5)
    layer.W.data, layer.W._grad = np.ones((2, 2), int), Variable(np.ones((2, 2)))
    with pytest.raises(DezeroError, match="expected a floating dtype"):
        optimizer.update()
    assert optimizer.lr == 0.1


def test_a_layer_with_buffers_can_be_a_group() -> None:
    layer = BatchNorm()
    layer(np.ones((2, 3), "f"))
    assert len(AdaDelta().setup(layer).add_group(layer, rho=0.5).groups[0].params) == 2


L0 = MLP((3, 2), in_size=2)
WRONG_GROUPS: list[tuple[type, Any, str]] = [
    (ArgumentError, lambda o: o.add_group(lambda p: p.ndim > 2, lr=1.0), "selects 0 parameters"),
    (ArgumentError, lambda o: o.add_group([], lr=1.0), "selects 0 parameters"),
    (ArgumentError, lambda o: o.add_group(Linear(1, in_size=2), lr=1.0),
     "selects 2 parameters, of which the model passed to setup has 0"),
    (ArgumentError, lambda o: o.add_group(L0.l0, lr=1.0).add_group(is_vector, lr=1.0),
     "the parameter 'l0/b' is in another group"),
    (ArgumentError, lambda o: o.add_group(L0.l0), "got no settings; pass at least one of alpha"),
    (ArgumentError, lambda o: o.add_group(L0.l0, momentum=0.5), "unknown setting 'momentum'; pass"),
    (ArgumentError, lambda o: o.add_group(L0.l0, lr=-1.0), "alpha is -1.0; expected a finite"),
    (ArgumentError, lambda o: o.add_group(L0.l0, beta1=1.0), "beta1 is 1.0; .* below 1"),
    (ArgumentTypeError, lambda o: o.add_group(L0.l0, lr="1"), "alpha '1' .*expected a number"),
    (ArgumentTypeError, lambda o: o.add_group(3, lr=1.0), "params is of type int; expected"),
    (ArgumentError, lambda o: (setattr(o, "lr", 0), o.add_group(L0.l0, lr=1.0)), "rate .* is 0"),
    (ArgumentError, lambda o: Adam().setup(MLP((3, 2))).add_group(is_vector, lr=1.0),
     "'l0/W' has no data yet; pass the input size"),
    (GraphError, lambda o: Adam().add_group(is_vector, lr=1.0), "Adam: call setup"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "call", "message"), WRONG_GROUPS)
def test_wrong_groups(error: type[Exception], call: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(AdamW(0.1).setup(L0))


@pytest.mark.parametrize("settings", [{"weight_decay": 0.0}, {"lr": 1}])
def test_setup_refuses_settings_beside_parameters(settings: dict[str, float]) -> None:
    layer = Linear(2, in_size=2)
    (name,) = settings
    with pytest.raises(ArgumentTypeError, match=rf"SGD.setup: {name} is of .*add_group\(params"):
        SGD(0.1).setup([{"params": [layer.W], **settings}, {"params": [layer.b]}])
