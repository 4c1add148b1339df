"""Test schedules: their factors, phases, checkpoints and errors."""

import copy
import gc
import weakref
from typing import Any

import pytest

from dezero_core.errors import ArgumentError, CallError, DezeroError
from dezero_nn import (
    MLP,
    SGD,
    AdaDelta,
    Adam,
    CosineDecay,
    Linear,
    Schedule,
    StepDecay,
    WarmUp,
)


def rates(schedule: Any, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(round(getattr(schedule.optimizer, schedule.optimizer.rate_name), 6))
        schedule.step()
    return found


def test_schedules() -> None:
    assert rates(StepDecay(SGD(1.0), 2), 5) == [1, 1, 0.1, 0.1, 0.01]
    assert rates(CosineDecay(SGD(2.0), 4, lowest=0.5), 6) == [
        2.0, 1.853553, 1.5, 1.146447, 1.0, 1.0,
    ]  # fmt: skip
    assert rates(WarmUp(Adam(0.4), 4), 6) == [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    adam = Adam(0.4)
    chain = WarmUp(adam, 2, then=CosineDecay(adam, 2))
    assert rates(chain, 5) == [0.2, 0.4, 0.4, 0.2, 0.0]
    assert chain.t == 5


def both(make_first: Any, make_second: Any, steps: int = 4, lr: float = 1.0) -> list[float]:
    """Return the rates of an optimizer with two schedules, stepped in turn."""
    optimizer = SGD(lr)
    first, second = make_first(optimizer), make_second(optimizer)
    found = []
    for _ in range(steps):
        found.append(round(optimizer.lr, 6))
        first.step()
        second.step()
    return found


def test_the_factors_of_schedules_are_multiplied() -> None:
    decay, cosine = lambda o: StepDecay(o, 2), lambda o: CosineDecay(o, 4, lowest=0.5)
    warm = lambda o: WarmUp(o, 2)  # noqa: E731
    assert both(warm, decay) == both(decay, warm) == [0.5, 1.0, 0.1, 0.1]
    assert both(decay, cosine) == [1.0, 0.926777, 0.075, 0.057322]
    assert both(decay, decay, lr=2.0) == [2.0, 2.0, 0.02, 0.02]
    to_zero = lambda o: CosineDecay(o, 1)  # noqa: E731
    assert both(to_zero, warm) == [0.5, 0.0, 0.0, 0.0]
    optimizer = Adam(0.4)
    schedules = [WarmUp(optimizer, 4), StepDecay(optimizer, 1, 0.5), CosineDecay(optimizer, 8)]
    assert [schedule.rate for schedule in schedules] == [0.4] * 3
    assert optimizer.alpha == optimizer.lr == 0.1
    schedules[0].rate = 0.8
    assert schedules[2].rate == 0.8 and optimizer.lr == 0.2


def test_schedules_continue_from_a_rate_that_was_set() -> None:
    optimizer = SGD(1.0)
    schedule = StepDecay(optimizer, 1, 0.5)
    schedule.step()
    optimizer.lr *= 0.1  # set by the program
    assert schedule.rate == 0.1 and optimizer.lr == 0.05
    schedule.step()
    assert optimizer.lr == 0.025
    optimizer.lr = 0.3  # a second phase
    later = CosineDecay(optimizer, 2)
    assert optimizer.lr == 0.3
    later.step()
    later.step()
    assert optimizer.lr == 0.0
    optimizer.lr = 0.2  # a third phase, after a schedule that ended at 0
    assert WarmUp(optimizer, 2).optimizer.lr == pytest.approx(0.1)


def test_several_schedules_continue_from_a_checkpoint() -> None:
    def make() -> Any:
        optimizer = Adam(0.4).setup(MLP((2,), in_size=3))
        return optimizer, [
            StepDecay(optimizer, 3, 0.5),
            WarmUp(optimizer, 2, CosineDecay(optimizer, 9)),
        ]

    def steps(run: Any, count: int) -> list[float]:
        found = []
        for _ in range(count):
            for schedule in run[1]:
                schedule.step()
            found.append(run[0].lr)
        return found

    run, other, backwards = make(), make(), make()
    steps(run, 4)
    states = [x.state_dict() for x in (run[0], *run[1])]
    for x, state in zip((other[0], *other[1]), states, strict=True):
        x.load_state_dict(state)
    for x, state in zip((*backwards[1][::-1], backwards[0]), states[::-1], strict=True):
        x.load_state_dict(state)
    copied = copy.deepcopy(run)
    wanted = steps(run, 8)
    assert steps(other, 8) == steps(backwards, 8) == steps(copied, 8) == wanted


def test_a_warm_up_steps_the_schedule_in_it() -> None:
    optimizer = SGD(1.0)
    inner = CosineDecay(optimizer, 2)
    outer = WarmUp(optimizer, 2, then=inner)
    assert rates(outer, 5) == [0.5, 1.0, 1.0, 0.5, 0.0]
    with pytest.raises(CallError, match=r"CosineDecay.step\(\): this schedule is part of a WarmUp"):
        inner.step()
    with pytest.raises(ArgumentError, match="then is a schedule of another optimizer"):
        WarmUp(SGD(), 2, then=CosineDecay(SGD(), 2))


def stepped(schedule: Any, steps: int) -> Any:
    for _ in range(steps):
        schedule.step()
    return schedule


NEW_PHASES: list[tuple[str, Any, list[float]]] = [
    ("goes on from the last rate", lambda o: (
        stepped(StepDecay(o, 1), 2), StepDecay(o, 1))[1], [0.01, 0.001, 0.0001]),
    ("also in the middle of one", lambda o: (
        stepped(CosineDecay(o, 4), 2), WarmUp(o, 2))[1], [0.25, 0.5, 0.5]),
    ("or from a rate that was set", lambda o: (
        stepped(CosineDecay(o, 5), 5), setattr(o, "lr", 0.4), CosineDecay(o, 2))[2],
     [0.4, 0.2, 0.0]),
    ("a warm-up that was never stepped", lambda o: (
        WarmUp(o, 5), WarmUp(o, 2))[1], [0.5, 1.0, 1.0]),
    ("a schedule for another warm-up", lambda o: (
        c := CosineDecay(o, 2), WarmUp(o, 5, c), WarmUp(o, 2, c))[2], [0.5, 1.0, 1.0, 0.5, 0.0]),
    ("the same, and one beside it", lambda o: (
        WarmUp(o, 5), StepDecay(o, 2), WarmUp(o, 2))[2], [0.5, 1.0, 1.0]),
    ("one at 0 for a start, and one beside it", lambda o: (
        From0(o), StepDecay(o, 2))[0], [0.0, 0.5, 1.0]),
]  # fmt: skip


class From0(Schedule):
    def factor(self, t: int) -> float:
        return min(t / 2, 1.0)


@pytest.mark.parametrize(("make", "wanted"), [case[1:] for case in NEW_PHASES])
def test_a_schedule_created_after_a_step_begins_a_new_phase(make: Any, wanted: list[float]) -> None:
    optimizer = SGD(1.0)
    schedule = make(optimizer)
    assert schedule.optimizer is optimizer
    assert rates(schedule, len(wanted)) == pytest.approx(wanted)


def test_no_phase_begins_at_rate_0() -> None:
    optimizer = Adam(1.0)
    stepped(CosineDecay(optimizer, 5), 5)
    for make in (
        lambda: CosineDecay(optimizer, 5),
        lambda: WarmUp(optimizer, 3, then=CosineDecay(optimizer, 5)),
    ):
        with pytest.raises(ArgumentError, match="learning rate is 0.*set optimizer.alpha first"):
            make()


def test_a_replaced_schedule_cannot_be_stepped() -> None:
    optimizer = SGD(1.0)
    before = [StepDecay(optimizer, 2), WarmUp(optimizer, 3)]
    before[0].step()
    ramps = [WarmUp(optimizer, 2), WarmUp(optimizer, 4)]  # neither has made a step
    assert optimizer.lr == pytest.approx(1 / 12)
    for schedule in (*before, ramps[0]):
        for call in (schedule.step, lambda s=schedule: setattr(s, "rate", 0.1)):
            with pytest.raises(CallError, match="a later schedule of the optimizer has replaced"):
                call()
    assert before[0].rate == 1.0 and schedule.t == 0


@pytest.mark.parametrize("loaded", ["ofl", "lfo", "flo", "ol", "lo"])
def test_a_later_phase_continues_from_a_checkpoint(loaded: str) -> None:
    """Load the optimizer, the first schedule and the later one, in several orders."""

    def begin() -> dict[str, Any]:
        optimizer = SGD(1.0).setup(MLP((2,), in_size=3))
        first = {"f": StepDecay(optimizer, 1)} if "f" in loaded else {}
        return {"o": optimizer, **first}

    run, resumed = begin(), begin()
    stepped(run.get("f") or StepDecay(run["o"], 1), 2)
    run["l"] = stepped(WarmUp(run["o"], 4), 2)
    resumed["l"] = WarmUp(resumed["o"], 4)
    for name in loaded:
        resumed[name].load_state_dict(run[name].state_dict())
    assert rates(resumed["l"], 3) == rates(run["l"], 3) == [0.0075, 0.01, 0.01]


def test_loading_a_checkpoint_of_an_earlier_phase() -> None:
    optimizer = SGD(1.0).setup(MLP((2,), in_size=3))
    first = stepped(StepDecay(optimizer, 1), 1)
    state = first.state_dict()
    second = stepped(WarmUp(optimizer, 4), 2)
    first.load_state_dict(state)
    assert rates(first, 3) == [0.1, 0.01, 0.001]
    with pytest.raises(CallError, match="has replaced this one"):
        second.step()


def test_replaced_schedules_are_not_stored() -> None:
    optimizer = SGD(1.0)
    for _ in range(200):
        CosineDecay(optimizer, 5)
        WarmUp(optimizer, 5)
    assert len(optimizer._schedule_phase.factors) == 1
    for _ in range(200):
        stepped(CosineDecay(optimizer, 2, lowest=0.9), 2)
    assert len(optimizer._schedule_phase.factors) == 1


def test_a_schedule_keeps_no_optimizer_alive() -> None:
    optimizer = SGD(1.0)
    schedule, seen = StepDecay(optimizer, 2), weakref.ref(optimizer)
    gc.disable()
    try:
        del optimizer, schedule
        assert seen() is None
    finally:
        gc.enable()


def test_schedules_refuse_arguments_out_of_range() -> None:
    with pytest.raises(ArgumentError, match="AdaDelta has no learning rate"):
        StepDecay(AdaDelta(), 2)
    for make in (lambda o: StepDecay(o, 0), lambda o: CosineDecay(o, 0), lambda o: WarmUp(o, 0)):
        with pytest.raises(ArgumentError, match="0 is below 1"):
            make(SGD())


WRONG_CALLS: list[tuple[Any, str]] = [
    (lambda o: WarmUp(o, 10, then=0.1), r"WarmUp: then is 0\.1 \(float\); expected a schedule"),
    (lambda o: WarmUp(o, 10, then=CosineDecay), r"WarmUp: then is .*; expected a schedule"),
    (lambda o: WarmUp(o, 9, then=stepped(CosineDecay(o, 3), 2)), "has made 2 steps; expected"),
    (lambda o: WarmUp(o, 1.5), r"WarmUp: steps 1\.5 \(float\): expected an integer"),
    (lambda o: CosineDecay(o, "3"), r"CosineDecay: steps '3' \(str\): expected an integer"),
    (lambda o: CosineDecay(o, 3, lowest="0"), "CosineDecay: lowest '0' .*expected a number"),
    (lambda o: CosineDecay(o, 3, lowest=-1), "CosineDecay: lowest is -1; expected a finite"),
    (lambda o: CosineDecay(o, T_max=10), r"unknown keyword 'T_max' \(write steps\)"),
    (lambda o: StepDecay(o, 1.5), r"StepDecay: step_size 1\.5 \(float\): expected an integer"),
    (lambda o: StepDecay(o, True), r"StepDecay: step_size True \(bool\): expected an integer"),
    (lambda o: StepDecay(o), "StepDecay: missing a required argument: 'step_size'"),
    (lambda o: StepDecay(o, 1, gamma=None), "StepDecay: gamma None .*expected a number"),
    (lambda o: CosineDecay(Linear(3), 10), "CosineDecay: optimizer is of type Linear; expected an"),
    (lambda o: CosineDecay(10, o), "CosineDecay: (steps|optimizer)"),
    (lambda o: StepDecay(o, 2).get_last_lr(), "'get_last_lr'; in DeZero: optimizer.lr"),
    (lambda o: StepDecay(o, 2).last_epoch, "'last_epoch'; in DeZero: schedule.t"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_wrong_calls_of_schedules(call: Any, message: str) -> None:
    with pytest.raises(DezeroError, match=message):
        call(SGD(0.1))
