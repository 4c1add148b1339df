"""Test the states of optimizers: moved, copied, saved and loaded."""

import copy
import gc
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable
from dezero_core.errors import FormatError, KeyMismatch
from dezero_nn import (
    EMA,
    MLP,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    ClipGrad,
    CosineDecay,
    FreezeParam,
    Layer,
    Linear,
    Lion,
    MomentumSGD,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    ReduceLROnPlateau,
    RMSprop,
    WarmUp,
    WeightDecay,
    softmax_cross_entropy,
)
from dezero_nn.kernels import updates

MAKE = [
    SGD,
    MomentumSGD,
    AdaGrad,
    RMSprop,
    AdaDelta,
    Adam,
    AdamW,
    AMSGrad,
    Adamax,
    NAdam,
    RAdam,
    Lion,
    Muon,
]


def test_state_is_freed_with_its_parameter() -> None:
    layer = Layer()
    layer.p = Parameter(np.ones(1))
    layer.p.grad = Variable(np.ones(1))
    optimizer = Adam().setup(layer)
    optimizer.update()
    assert len(optimizer.param_states) == 1
    layer.p = None
    gc.collect()
    assert len(optimizer.param_states) == 0


@pytest.mark.parametrize("make", MAKE)
def test_the_state_moves_with_its_parameter(make: Any) -> None:
    def two_steps(between: Any) -> Any:
        layer = Layer()
        layer.p = Parameter(np.array([1.0, 2.0]))
        optimizer = make().setup(layer)
        for g in ([0.5, -2.0], [0.1, 3.0]):
            layer.p.grad = Variable(np.array(g))
            between(layer)
            optimizer.update()
        return layer.to_cpu().p.data

    halfway = iter([lambda layer: None, lambda layer: layer.to_gpu()])
    np.testing.assert_array_equal(
        two_steps(lambda layer: next(halfway)(layer)), two_steps(lambda layer: None)
    )


def with_everything(make: Any) -> tuple[Any, Optimizer, Any]:
    """Return a model, its optimizer with hooks, and a schedule if there is a rate."""
    model = MLP((4, 3), in_size=5)
    draw = np.random.default_rng(0)
    for p in model.params():
        p.data = draw.standard_normal(p.shape).astype("float32")
    optimizer = make().setup(model)
    optimizer.add_hook(WeightDecay(0.01))
    optimizer.add_hook(ClipGrad(0.5))
    optimizer.add_hook(FreezeParam(model.l0))
    has_rate = hasattr(optimizer, optimizer.rate_name)
    return model, optimizer, WarmUp(optimizer, 5) if has_rate else None


def train(model: Any, optimizer: Optimizer, schedule: Any, steps: int) -> bytes:
    """Train, and return all parameters as bytes."""
    x = np.random.default_rng(1).standard_normal((6, 5)).astype("float32")
    for step in range(steps):
        model.cleargrads()
        softmax_cross_entropy(model(x * (step + 1)), np.arange(6) % 3).backward()
        optimizer.update()
        if schedule is not None:
            schedule.step()
    return b"".join(p.data.tobytes() for p in model.params())


def in_a_new_model(run: Any) -> Any:
    """Return a new run of the same type with the states of ``run``."""
    model, optimizer, schedule = run
    other, fresh, ahead = with_everything(lambda: type(optimizer)())
    for p, q in zip(other.params(), model.params(), strict=True):
        p.data = q.data.copy()
    fresh.load_state_dict(optimizer.state_dict())
    if schedule is not None:
        ahead.load_state_dict(schedule.state_dict())
    return other, fresh, ahead


def of_the_optimizer_alone(copied: Any) -> Any:
    """Return a function that copies a run by copying its optimizer."""

    def copy_run(run: Any) -> Any:
        if run[2] is None:
            optimizer = copied(run[1])
            return optimizer.target, optimizer, None
        schedule = copied(run[2])
        return schedule.optimizer.target, schedule.optimizer, schedule

    return copy_run


def through_pickle(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": through_pickle,
    "deepcopy of the optimizer": of_the_optimizer_alone(copy.deepcopy),
    "pickle of the optimizer": of_the_optimizer_alone(through_pickle),
    "state_dict": in_a_new_model,
}


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("piece", [3, 1 << 20])
def test_training_continues_from_a_copy(
    make: Any, copied: Any, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "PIECE", piece)
    run = with_everything(make)
    train(*run, 3)
    other = copied(run)
    assert other[1].target is other[0] and repr(other[1]) == repr(run[1])
    halfway = b"".join(p.data.tobytes() for p in run[0].params())
    wanted = train(*other, 4)
    assert halfway == b"".join(p.data.tobytes() for p in run[0].params()), "left alone"
    assert train(*run, 4) == wanted


class ByIdentity(Optimizer):
    """Momentum with the state keyed by id(param), as in the book."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.lr, self.vs = lr, {}

    def update_one(self, param: Parameter) -> None:
        v = self.vs.get(id(param), 0.0)
        self.vs[id(param)] = v = 0.9 * v - self.lr * param.grad.data
        param.data += v


@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle])
def test_the_books_optimizers_can_be_copied(copied: Any) -> None:
    run = with_everything(ByIdentity)
    train(*run, 3)
    other = copied(run)
    assert len(other[1].vs) == 2 and not other[1].vs.keys() & run[1].vs.keys()
    assert train(*other, 3) == train(*run, 3)
    assert copy.copy(run[1]).vs.keys() == run[1].vs.keys()


def by_key(optimizer: Optimizer) -> Any:
    return {k: optimizer.param_states.get(p, {}) for k, p in optimizer.target_params().items()}


@pytest.mark.parametrize("make", MAKE)
def test_a_shallow_copy_has_a_state_of_its_own(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "PIECE", 3)
    model, optimizer, schedule = with_everything(make)
    train(model, optimizer, schedule, 3)
    other = copy.copy(optimizer)
    assert other.target is model and other.hooks is not optimizer.hooks
    before = {key: list(map(str, state.values())) for key, state in by_key(other).items()}
    train(model, optimizer, schedule, 2)
    optimizer.hooks[0].rate = 7.0
    after = {key: list(map(str, state.values())) for key, state in by_key(other).items()}
    assert before == after and other.hooks[0].rate == 0.01
    assert set(other.param_states) == set(optimizer.param_states)


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("size", [3, (1 << 20) + 1])
def test_states_are_never_shared(make: Any, size: int) -> None:
    """A saved state shares no array with its optimizer, with one that loads it, or the model."""
    layer = Layer()
    layer.p = Parameter(np.ones(size, "f"))
    optimizer = make().setup(layer)
    layer.p.grad = np.ones(size, "f")
    optimizer.update()
    saved, other = optimizer.state_dict(), make().setup(layer)
    other.load_state_dict(saved)
    states = [
        saved["parameters"].get("p", {}),
        optimizer.param_states[layer.p],
        other.param_states[layer.p],
    ]
    arrays = [x for state in states for x in state.values() if isinstance(x, np.ndarray)]
    arrays += [layer.p.data, layer.p.grad.data]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:i])


class Momentum(Optimizer):
    """Store the velocities by ``id(param)``, as the book does (step 46)."""

    def __init__(self, make: Any = dict) -> None:
        super().__init__()
        self.vs = make()

    def update_one(self, param: Any) -> None:
        v = self.vs.setdefault(id(param), np.zeros_like(param.data))
        v *= 0.9
        v -= 0.01 * param.grad.data
        param.data += v


@pytest.mark.parametrize("make", [dict, OrderedDict])
@pytest.mark.parametrize("method", ["state_dict", "deepcopy"])
def test_state_keyed_by_id_is_saved_and_copied(make: Any, method: str) -> None:
    def steps(layer: Any, rule: Any, count: int) -> Any:
        for _ in range(count):
            layer.W.grad = np.ones((1, 1), "f")
            rule.update()
        return layer.W.data.copy()

    layer = Linear(1, in_size=1, nobias=True)
    rule = Momentum(make).setup(layer)
    steps(layer, rule, 2)
    if method == "deepcopy":
        other, rule_of_other = copy.deepcopy((layer, rule))
    else:
        other = Linear(1, in_size=1, nobias=True)
        rule_of_other = Momentum(make).setup(other)
        other.W.data = layer.W.data.copy()
        rule_of_other.load_state_dict(rule.state_dict())
    assert np.array_equal(steps(layer, rule, 1), steps(other, rule_of_other, 1))


def test_pickles_of_other_versions() -> None:
    optimizer = MomentumSGD()
    attributes = optimizer.__getstate__()
    attributes["_state"] = attributes.pop("param_states")  # the name in the first version
    with pytest.raises(FormatError, match="another version of DeZero wrote this pickle"):
        optimizer.__setstate__(attributes)


@pytest.mark.parametrize("state", [{"state": {}, "param_groups": []}, {"settings": {}}, {}, None])
def test_states_of_other_programs_are_refused(state: Any) -> None:
    optimizer = SGD(0.5).setup(Linear(2, in_size=3))
    plateau = ReduceLROnPlateau(optimizer)
    for target in (optimizer, EMA(Linear(2)), CosineDecay(optimizer, 5), plateau):
        name = type(target).__name__
        with pytest.raises(KeyMismatch, match=rf"{name}.load_state_dict: got .* result of state_d"):
            target.load_state_dict(state)
    with pytest.raises(KeyMismatch, match="with 't', 'rate', "):
        plateau.load_state_dict({"best": 1.0, "waited": 0})
    assert plateau.best is None
