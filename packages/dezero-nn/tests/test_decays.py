"""Test the schedules of `decays` and `plateau`: factors, checkpoints and errors."""

import copy
import math
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentError, CallError, DezeroError
from dezero_nn import (
    SGD,
    CosineRestarts,
    ExponentialDecay,
    LambdaSchedule,
    LinearDecay,
    MultiStepDecay,
    OneCycle,
    ReduceLROnPlateau,
    WarmUp,
)


def rates(make: Any, steps: int) -> list[float]:
    """Return the learning rates of an optimizer whose base rate is 1."""
    optimizer = SGD(1.0)
    schedule = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.lr)
        schedule.step()
    return found


FACTORS: list[tuple[Any, list[float]]] = [
    (lambda o: ExponentialDecay(o, 0.5), [1, 0.5, 0.25, 0.125]),
    (lambda o: MultiStepDecay(o, [1, 3]), [1, 0.1, 0.1, 0.01, 0.01]),
    (lambda o: MultiStepDecay(o, (2,), gamma=0.5), [1, 1, 0.5, 0.5]),
    (lambda o: MultiStepDecay(o, []), [1, 1]),
    (lambda o: LinearDecay(o, 4), [1, 0.75, 0.5, 0.25, 0, 0]),
    (lambda o: LinearDecay(o, 2, lowest=0.5), [1, 0.75, 0.5, 0.5]),
    (lambda o: CosineRestarts(o, 2), [1, 0.5, 1, 0.5, 1]),
    (lambda o: CosineRestarts(o, 1, growth=2, lowest=0.5), [1, 1, 0.75, 1]),
    (lambda o: OneCycle(o, 11, 0.5, start=0.2, lowest=0.1),
     [0.2 + 0.8 * (1 - math.cos(math.pi * t / 4.5)) / 2 for t in range(5)]
     + [0.1 + 0.9 * (1 + math.cos(math.pi * (t - 4.5) / 5.5)) / 2 for t in range(5, 11)]
     + [0.1, 0.1]),
    (lambda o: OneCycle(o, 1), [4e-6, 4e-6]),
    (lambda o: OneCycle(o, 2, warm_up=0.0), [0.5 * (1 + 4e-6), 4e-6]),
    (lambda o: LambdaSchedule(o, lambda t: 1 / (1 + t)), [1, 0.5, 1 / 3]),
    (lambda o: LambdaSchedule(o, lambda t: np.float32(0.5)), [0.5, 0.5]),
    (lambda o: WarmUp(o, 2, LinearDecay(o, 2)), [0.5, 1, 1, 0.5, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "wanted"), FACTORS)
def test_factors(make: Any, wanted: list[float]) -> None:
    assert rates(make, len(wanted)) == pytest.approx(wanted)


def test_a_schedule_continues_from_its_state() -> None:
    for make, wanted in FACTORS:
        first = make(SGD(1.0))
        first.step()
        other = make(SGD(1.0))
        other.load_state_dict(first.state_dict())
        assert other.optimizer.lr == pytest.approx(wanted[1])


SCORES = [5.0, 4.0, 4.0, 4.1, 3.9999, 3.0, math.nan, 3.5, 3.5, 2.0, 2.0, 2.0, 2.0]


def plateau_rates(schedule: ReduceLROnPlateau, scores: list[float]) -> list[float]:
    found = []
    for score in scores:
        schedule.step(score)
        found.append(schedule.optimizer.lr)
    return found


def test_reduce_lr_on_plateau() -> None:
    schedule = ReduceLROnPlateau(SGD(1.0), gamma=0.5, patience=1)
    wanted = [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125]
    assert plateau_rates(schedule, SCORES) == wanted and schedule.best == 2.0
    schedule = ReduceLROnPlateau(SGD(1.0), "max", gamma=0.5, patience=1)
    assert plateau_rates(schedule, [-score for score in SCORES]) == wanted


def test_a_plateau_has_a_cooldown_and_a_lowest_rate() -> None:
    schedule = ReduceLROnPlateau(SGD(1.0), gamma=0.5, patience=0, cooldown=2, lowest=0.3)
    assert plateau_rates(schedule, [1.0] * 6) == [1, 0.5, 0.5, 0.5, 0.3, 0.3]


@pytest.mark.parametrize("stop", range(1, len(SCORES)))
def test_a_plateau_continues_from_a_checkpoint(stop: int) -> None:
    def begin() -> ReduceLROnPlateau:
        return ReduceLROnPlateau(SGD(1.0), gamma=0.5, patience=1, cooldown=1)

    run, other = begin(), begin()
    plateau_rates(run, SCORES[:stop])
    copied = copy.deepcopy(run)
    other.load_state_dict(run.state_dict())
    wanted = plateau_rates(run, SCORES[stop:])
    assert plateau_rates(other, SCORES[stop:]) == wanted == plateau_rates(copied, SCORES[stop:])


def test_a_plateau_runs_beside_a_warm_up_and_takes_variables() -> None:
    optimizer = SGD(1.0)
    warm_up, plateau = WarmUp(optimizer, 2), ReduceLROnPlateau(optimizer, patience=0)
    found = []
    for score in (1.0, 2.0, 0.5):
        warm_up.step()
        plateau.step(Variable(np.array([score])))
        found.append(optimizer.lr)
    assert found == pytest.approx([1.0, 0.1, 0.1])


def test_a_replaced_plateau_cannot_be_stepped() -> None:
    optimizer = SGD(1.0)
    plateau = ReduceLROnPlateau(optimizer)
    plateau.step(1.0)
    ExponentialDecay(optimizer, 0.5)
    with pytest.raises(CallError, match="has replaced this one"):
        plateau.step(2.0)
    assert plateau.best == 1.0 and plateau.t == 1


WRONG_CALLS: list[tuple[Any, str]] = [
    (lambda o: ExponentialDecay(o), "ExponentialDecay: missing a required argument: 'gamma'"),
    (lambda o: ExponentialDecay(o, -1), "ExponentialDecay: gamma is -1; expected a finite"),
    (lambda o: MultiStepDecay(o, [3, 2]), r"milestones are \[3, 2\]; .* in increasing order"),
    (lambda o: MultiStepDecay(o, [0, 2]), "expected integers above 0"),
    (lambda o: MultiStepDecay(o, [1.5]), "milestones 1.5 .*expected an integer"),
    (lambda o: LinearDecay(o, 0), "LinearDecay: steps 0 is below 1"),
    (lambda o: CosineRestarts(o, T_0=3), r"'T_0' \(write steps\)"),
    (lambda o: CosineRestarts(o, 3, growth=0), "growth 0 is below 1"),
    (lambda o: OneCycle(o, 3, warm_up=1.0), "warm_up is 1.0; .* below 1"),
    (lambda o: OneCycle(o, max_lr=1.0, total_steps=5), "'max_lr'.*highest rate"),
    (lambda o: LambdaSchedule(o, 0.5), "function is 0.5; expected a function of the step"),
    (lambda o: LambdaSchedule(o, lambda t: None), "the result of function None .*a number"),
    (lambda o: LambdaSchedule(o, lambda t: -1), "SGD: lr is -1"),
    (lambda o: ReduceLROnPlateau(o, "low"), "mode is 'low'; expected 'min' or 'max'"),
    (lambda o: ReduceLROnPlateau(o, factor=0.1), r"'factor' \(write gamma\)"),
    (lambda o: ReduceLROnPlateau(o, gamma=1.5), "gamma is 1.5; .* below 1"),
    (lambda o: ReduceLROnPlateau(o, patience=-1), "patience -1 is below 0"),
    (lambda o: ReduceLROnPlateau(o).step(), "got no score; write schedule.step"),
    (lambda o: WarmUp(o, 3, ReduceLROnPlateau(o)), "ReduceLROnPlateau, which needs scores"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_wrong_calls(call: Any, message: str) -> None:
    with pytest.raises(DezeroError, match=message):
        call(SGD(1.0))


def test_the_rate_after_a_wrong_function_is_unchanged() -> None:
    optimizer = SGD(1.0)
    schedule = LambdaSchedule(optimizer, lambda t: 1.0 - 2 * t)
    with pytest.raises(ArgumentError, match="lr is -1"):
        schedule.step()
    assert optimizer.lr == 1.0
