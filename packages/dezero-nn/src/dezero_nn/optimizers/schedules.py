"""Learning rates that change while training: by steps, along a cosine, after a warm-up.

A schedule says by how much the optimizer's own rate is multiplied at step t = 0, 1, 2...; call
``step()`` after each update, or after each epoch, whichever the numbers are meant to count::

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

from dezero_core.errors import ArgumentError

from .optimizer import Optimizer
from .settings import representation


class Schedule:
    """Base of schedules. Subclasses define ``factor``.

    Args:
        optimizer: whose rate is set; what it has now is what factors refer to.

    Attributes:
        t: how many steps have been made.
        rate: the rate at factor 1.

    Raises:
        ArgumentError: the optimizer has no learning rate.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not hasattr(optimizer, optimizer.rate_name):
            raise ArgumentError(f"{type(optimizer).__name__} has no learning rate to schedule")
        self.optimizer, self.t = optimizer, 0
        self.rate: float = getattr(optimizer, optimizer.rate_name)
        self._apply()

    def __repr__(self) -> str:
        return representation(self, self.optimizer)

    def factor(self, t: int) -> float:
        """What the rate is multiplied by at step ``t``."""
        raise NotImplementedError(f"{type(self).__name__} must define factor")

    def step(self) -> None:
        """Go on by one step."""
        self.t += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold: the step, and the rate at factor 1."""
        return {"t": self.t, "rate": self.rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` saw, and set the optimizer's rate."""
        self.t, self.rate = state["t"], state["rate"]
        self._apply()

    def _apply(self) -> None:
        setattr(self.optimizer, self.optimizer.rate_name, self.rate * self.factor(self.t))


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
        then: a schedule of the same optimizer whose step 0 comes after the way up.
    """

    def __init__(self, optimizer: Optimizer, steps: int, then: Schedule | None = None) -> None:
        self.steps, self.then = at_least_one("steps", steps), then
        if then is not None:  # it has set the rate to its own first one
            setattr(optimizer, optimizer.rate_name, then.rate)
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
