"""Learning rates that change while training: by steps, along a cosine, after a warm-up.

A schedule says by how much the optimizer's own rate is multiplied at step t = 0, 1, 2...; call
``step()`` after each update, or after each epoch, whichever the numbers are meant to count. The
factors of several schedules of one optimizer are multiplied::

    optimizer = SGD(lr=0.1).setup(model)
    schedule = WarmUp(optimizer, 500, then=CosineDecay(optimizer, 10_000))
    for x, t in batches:
        ...
        optimizer.update()
        schedule.step()
"""

from __future__ import annotations

import math
from typing import Any

from dezero_core.errors import ArgumentError, CallError

from .optimizer import Optimizer
from .settings import representation


class ScheduledRate:
    """The learning rate of an optimizer as a product: a base rate, and a factor of each schedule.

    An optimizer has at most one, which all of its schedules share. If a program sets the rate
    itself, the base rate changes so that the product is that rate. A schedule that nobody steps
    any more leaves its last factor.

    Attributes:
        base: the rate if all factors are 1.
        factors: a number for each schedule, in the order of their creation.
        product: the rate that was set last.
    """

    def __init__(self, base: float) -> None:
        self.base = self.product = base
        self.factors: list[float] = []

    def follow(self, rate: float) -> None:
        """Change the base rate if the rate is no longer the product."""
        if rate == self.product:
            return
        # Schedules that ended at 0 would hold every rate at 0: they start again if they step.
        self.factors = [factor or 1.0 for factor in self.factors]
        self.base, self.product = rate / math.prod(self.factors), rate

    def apply_to(self, optimizer: Optimizer, base: float, factors: list[float]) -> None:
        """Set the rate of an optimizer to a product; if that is refused, nothing changes."""
        setattr(optimizer, optimizer.rate_name, base * math.prod(factors))
        self.product = getattr(optimizer, optimizer.rate_name)
        self.base, self.factors = base, factors


def scheduled_rate(optimizer: Optimizer) -> ScheduledRate:
    """Return the shared rate of an optimizer's schedules, as a program may have set it."""
    rate: float = getattr(optimizer, optimizer.rate_name)
    shared: ScheduledRate = vars(optimizer).setdefault("_scheduled_rate", ScheduledRate(rate))
    shared.follow(rate)
    return shared


class Schedule:
    """Base of schedules. Subclasses define ``factor``.

    Args:
        optimizer: whose rate is multiplied. Other schedules of it go on: factors are multiplied.

    Attributes:
        t: how many steps have been made.
        rate: the rate at factor 1, of this and all other schedules of the optimizer.

    Raises:
        ArgumentError: the optimizer has no learning rate.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not hasattr(optimizer, optimizer.rate_name):
            raise ArgumentError(f"{type(optimizer).__name__} has no learning rate to schedule")
        self.optimizer, self.t = optimizer, 0
        factors = scheduled_rate(optimizer).factors
        self._position: int | None = len(factors)  # of its factor; None as a part of another one
        factors.append(1.0)
        self._apply()

    def __repr__(self) -> str:
        return representation(self, self.optimizer)

    @property
    def rate(self) -> float:
        """The rate at factor 1, of this and all other schedules of the optimizer."""
        return scheduled_rate(self.optimizer).base

    @rate.setter
    def rate(self, value: float) -> None:
        self._apply(value)

    def factor(self, t: int) -> float:
        """What the rate is multiplied by at step ``t``."""
        raise NotImplementedError(f"{type(self).__name__} must define factor")

    def step(self) -> None:
        """Go on by one step.

        Raises:
            CallError: the schedule is part of another one, which steps it.
        """
        if self._position is None:
            raise CallError(
                f"{type(self).__name__}.step(): it is part of a WarmUp; step only the WarmUp"
            )
        self.t += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold: the step, and the rate at factor 1."""
        return {"t": self.t, "rate": self.rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` saw, and set the optimizer's rate."""
        self.t = state["t"]
        self.rate = state["rate"]

    def _apply(self, base: float | None = None) -> None:
        """Set the optimizer's rate, with this schedule's factor and perhaps a new base rate."""
        shared = scheduled_rate(self.optimizer)
        factors = list(shared.factors)
        if self._position is not None:
            factors[self._position] = self.factor(self.t)
        shared.apply_to(self.optimizer, shared.base if base is None else base, factors)

    def _leave(self) -> None:
        """Take this schedule's factor out of the product: another schedule includes it."""
        if self._position is not None:
            scheduled_rate(self.optimizer).factors[self._position] = 1.0
        self._position = None


class StepDecay(Schedule):
    """The factor ``gamma`` once more at every ``step_size`` steps.

    Args:
        optimizer: whose rate is set.
        step_size: how many steps the rate stays, at least 1.
        gamma: the factor (default 0.1).
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = at_least_one("step_size", step_size), gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return float(self.gamma ** (t // self.step_size))


class CosineDecay(Schedule):
    """Half a cosine from 1 to ``lowest`` over ``steps`` steps; then it stays.

    Loshchilov and Hutter, "SGDR", 2017.

    Args:
        optimizer: whose rate is set.
        steps: how long the way down is, at least 1.
        lowest: the last factor (default 0).
    """

    def __init__(self, optimizer: Optimizer, steps: int, lowest: float = 0.0) -> None:
        self.steps, self.lowest = at_least_one("steps", steps), lowest
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        along = (1 + math.cos(math.pi * min(t / self.steps, 1.0))) / 2
        return self.lowest + (1 - self.lowest) * along


class WarmUp(Schedule):
    """A line from 1 / steps to 1 over ``steps`` steps, then another schedule, or 1.

    Args:
        optimizer: whose rate is set.
        steps: how long the way up is, at least 1.
        then: a schedule of the same optimizer whose step 0 comes after the way up; it is stepped
            by this one only. Two schedules that are stepped side by side are multiplied instead.

    Raises:
        ArgumentError: ``then`` is a schedule of another optimizer.
    """

    def __init__(self, optimizer: Optimizer, steps: int, then: Schedule | None = None) -> None:
        self.steps, self.then = at_least_one("steps", steps), then
        if then is not None:
            if then.optimizer is not optimizer:
                raise ArgumentError("WarmUp: then is a schedule of another optimizer")
            then._leave()
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        if t < self.steps:
            return (t + 1) / self.steps
        return self.then.factor(t - self.steps) if self.then else 1.0


def at_least_one(name: str, value: int) -> int:
    """``value``, if it can count steps."""
    if value < 1:
        raise ArgumentError(f"{name} {value} is below 1")
    return value
