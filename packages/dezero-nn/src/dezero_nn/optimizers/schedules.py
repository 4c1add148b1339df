"""Define `Schedule`, the base class of learning-rate schedules, and the most common schedules.

A schedule multiplies the learning rate of an optimizer by a factor that depends on the step t = 0,
1, 2... Call ``step()`` after each update if the arguments count updates, or after each epoch if the
arguments count epochs. Schedules that are created before the first step run side by side, and their
factors are multiplied::

    optimizer = SGD(lr=0.1).setup(model)
    schedule = WarmUp(optimizer, 500, then=CosineDecay(optimizer, 10_000))
    for x, t in batches:
        ...
        optimizer.update()
        schedule.step()

A schedule that is created after a step begins a new phase of training: its base rate is the current
learning rate, and it replaces the earlier schedules. To begin at another learning rate, set
``optimizer.lr`` first::

    optimizer.lr = 0.05
    schedule = CosineDecay(optimizer, 5_000)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from dezero_core.arguments import as_integer
from dezero_core.errors import ArgumentError, CallError
from dezero_core.state import require_no_recording

from ..calls import require_call
from ..hints import SCHEDULE, SCHEDULE_KEYWORDS, no_attribute
from .optimizer import Optimizer
from .phases import Phase, current_phase, open_phase
from .settings import representation, require_state, setting


class Schedule:
    """Base class of schedules. Subclasses define ``factor``.

    Args:
        optimizer: the optimizer whose learning rate is multiplied by the factor.

    Attributes:
        t: the number of steps so far.
        rate: the base rate, which is the learning rate if all factors are 1.

    Raises:
        ArgumentError: ``optimizer`` is not an optimizer, has no learning rate, or has a learning
            rate of 0.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Create a schedule; for unexpected arguments, raise an error with a hint."""
        if args or kwargs:
            require_call(cls, args, kwargs, SCHEDULE_KEYWORDS)
        return super().__new__(cls)

    def __init__(self, optimizer: Optimizer) -> None:
        name = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise ArgumentError(
                f"{name}: optimizer is of type {type(optimizer).__name__}; expected an optimizer, "
                "such as SGD(0.1).setup(model)"
            )
        if not hasattr(optimizer, optimizer.rate_name):
            raise ArgumentError(f"{type(optimizer).__name__} has no learning rate to schedule")
        self.optimizer, self.t = optimizer, 0
        self._phase = open_phase(name, optimizer)
        self._number: int | None = self._phase.schedules  # None if part of a WarmUp
        self._phase.schedules += 1
        self._enter()
        self._apply()

    if not TYPE_CHECKING:  # with __getattr__, type checkers accept any attribute

        def __getattr__(self, name: str) -> Any:
            return no_attribute(self, name, SCHEDULE)

    def __repr__(self) -> str:
        return representation(self, self.optimizer)

    @property
    def rate(self) -> float:
        """The base rate: the learning rate if the factors of all current schedules are 1."""
        return self._phase.base if self._is_over() else current_phase(self.optimizer).base

    @rate.setter
    def rate(self, value: float) -> None:
        self._require_running("rate")
        self._apply(value)

    def factor(self, t: int) -> float:
        """Return the factor of the learning rate at step ``t``."""
        raise NotImplementedError(f"{type(self).__name__} must define factor")

    def step(self) -> None:
        """Advance to the next step, and set the learning rate of the optimizer.

        Raises:
            CallError: the schedule is part of a `WarmUp`, or a later schedule has replaced this
                one.
            CaptureError: the call is inside a captured step.
        """
        require_no_recording(f"{type(self).__name__}.step()", "call it after the captured step")
        if self._number is None:
            raise CallError(
                f"{type(self).__name__}.step(): this schedule is part of a WarmUp; step only the "
                "WarmUp"
            )
        self._require_running("step()")
        self.t += 1
        self._phase.is_closed = True
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Return a state for checkpoints: t, base rate, and whether the schedule was replaced."""
        state = {"t": self.t, "rate": self.rate}
        return {**state, "is_over": True} if self._is_over() else state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that ``state_dict`` returned, and set the learning rate.

        If a later schedule had replaced the saved schedule, the learning rate does not change.

        Raises:
            KeyMismatch: ``state`` is not of ``state_dict``.
        """
        require_state(self, state, "t", "rate")
        t, rate = as_integer(type(self).__name__, "t", state["t"], 0), state["rate"]
        self.t = t
        if state.get("is_over"):
            self._leave()
            self._phase = Phase(rate)
            return
        if self._number is not None:
            self._enter()
            self._phase.is_closed |= t > 0
        self._apply(rate)

    def _apply(self, base: float | None = None) -> None:
        """Set the learning rate to ``base`` (default: the phase's base rate) times all factors."""
        phase = current_phase(self.optimizer)
        factors = dict(phase.factors)
        if self._number is not None:
            factors[self._number] = self.factor(self.t)
            if factors[self._number] == 1:
                del factors[self._number]
        phase.apply_to(self.optimizer, phase.base if base is None else base, factors)

    def _enter(self) -> None:
        """Make this schedule's phase the current phase of the optimizer."""
        vars(self.optimizer)["_schedule_phase"] = self._phase

    def _leave(self) -> None:
        """Remove this schedule's factor from the learning rate."""
        if self._number is not None and not self._is_over():
            phase = current_phase(self.optimizer)
            factors = {n: factor for n, factor in phase.factors.items() if n != self._number}
            phase.apply_to(self.optimizer, phase.base, factors)

    def _become_part(self) -> None:
        """Leave the phase, because a WarmUp that contains this schedule sets the learning rate."""
        self._leave()
        self._number = None

    def _is_over(self) -> bool:
        """Return whether a later schedule has replaced this one."""
        return (
            self._number is not None
            and vars(self.optimizer).get("_schedule_phase") is not self._phase
        )

    def _require_running(self, what: str) -> None:
        """Raise `CallError` if a later schedule has replaced this one."""
        if self._is_over():
            raise CallError(
                f"{type(self).__name__}.{what}: a later schedule of the optimizer has replaced "
                "this one; step the later schedule, or make schedules that run side by side before "
                "the first step"
            )


class StepDecay(Schedule):
    """Multiply the learning rate by ``gamma`` after every ``step_size`` steps.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        step_size: the number of steps between two changes, an integer of at least 1.
        gamma: the factor, at least 0 (default 0.1).

    Raises:
        ArgumentError: a number is out of its range, or ``optimizer`` is invalid; see `Schedule`.
        ArgumentTypeError: ``step_size`` is not an integer, or ``gamma`` is not a number.
    """

    gamma: float = setting()

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = as_integer("StepDecay", "step_size", step_size, minimum=1)
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return float(self.gamma ** (t // self.step_size))


class CosineDecay(Schedule):
    """Decrease the factor along half a cosine, from 1 to ``lowest`` in ``steps`` steps.

    Loshchilov and Hutter, "SGDR", 2017.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        steps: the number of steps until the factor is ``lowest``, an integer of at least 1.
        lowest: the factor after ``steps`` steps, at least 0 (default 0).

    Raises:
        ArgumentError: a number is out of its range, or ``optimizer`` is invalid; see `Schedule`.
        ArgumentTypeError: ``steps`` is not an integer, or ``lowest`` is not a number.
    """

    lowest: float = setting()

    def __init__(self, optimizer: Optimizer, steps: int, lowest: float = 0.0) -> None:
        self.steps = as_integer("CosineDecay", "steps", steps, minimum=1)
        self.lowest = lowest
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        cosine = (1 + math.cos(math.pi * min(t / self.steps, 1.0))) / 2
        return self.lowest + (1 - self.lowest) * cosine


class WarmUp(Schedule):
    """Increase the factor linearly from 1 / steps to 1, then follow another schedule.

    Two WarmUps of one optimizer never run side by side: the second WarmUp replaces the first.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        steps: the number of steps until the factor is 1, an integer of at least 1.
        then: a schedule of the same optimizer that begins when the factor is 1. Call ``step()`` of
            the WarmUp only, not of ``then``. If ``then`` is None, the factor stays 1.

    Raises:
        ArgumentError: ``then`` is not a schedule, belongs to another optimizer, or was stepped
            already; ``steps`` is below 1; or ``optimizer`` is invalid, see `Schedule`.
        ArgumentTypeError: ``steps`` is not an integer.
    """

    def __init__(self, optimizer: Optimizer, steps: int, then: Schedule | None = None) -> None:
        self.steps, self.then = as_integer("WarmUp", "steps", steps, minimum=1), then
        if then is not None:
            require_unused(then, optimizer)
            then._become_part()
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        if t < self.steps:
            return (t + 1) / self.steps
        return self.then.factor(t - self.steps) if self.then else 1.0

    def _enter(self) -> None:
        super()._enter()
        if self._phase.ramp is not None:
            self._phase.factors.pop(self._phase.ramp, None)
        self._phase.ramp = self._number

    def _is_over(self) -> bool:
        return super()._is_over() or (self._number is not None and self._phase.ramp != self._number)


def require_unused(then: object, optimizer: Optimizer) -> None:
    """Check that ``then`` is a schedule of ``optimizer`` that has made no step."""
    if not isinstance(then, Schedule):
        raise ArgumentError(
            f"WarmUp: then is {then!r} ({type(then).__name__}); expected a schedule, such as "
            "CosineDecay(optimizer, 100)"
        )
    if then.optimizer is not optimizer:
        raise ArgumentError("WarmUp: then is a schedule of another optimizer")
    if then.t > 0:
        raise ArgumentError(
            f"WarmUp: then, {then!r}, has made {then.t} steps; expected a new schedule"
        )
