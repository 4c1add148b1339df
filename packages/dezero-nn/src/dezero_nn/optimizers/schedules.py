"""Learning rates that change while training: by steps, along a cosine, after a warm-up.

A schedule says by how much the optimizer's own rate is multiplied at step t = 0, 1, 2...; call
``step()`` after each update, or after each epoch, whichever the numbers are meant to count. The
factors of schedules that run side by side are multiplied; create all of them before the first
step::

    optimizer = SGD(lr=0.1).setup(model)
    schedule = WarmUp(optimizer, 500, then=CosineDecay(optimizer, 10_000))
    for x, t in batches:
        ...
        optimizer.update()
        schedule.step()

A schedule that is made after a step begins a new phase of training: its base rate is the
current rate, and the schedules before it are over. To begin at another rate, set it first::

    optimizer.lr = 0.05
    schedule = CosineDecay(optimizer, 5_000)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from dezero_core.errors import ArgumentError, CallError
from dezero_core.extend import as_integer
from dezero_core.hints import no_attribute

from ..calls import require_call
from ..hints import SCHEDULE, SCHEDULE_KEYWORDS
from .optimizer import Optimizer
from .settings import representation, setting


class Phase:
    """A phase of training: the rate is a base rate times the factor of each schedule.

    The schedules that run side by side share a phase. If a program sets the rate itself, the base
    rate changes so that the product is that rate.

    Attributes:
        base: the rate if all factors are 1.
        product: the rate that was set last.
        factors: the factors other than 1, by the number of the schedule in the phase.
        schedules: how many schedules were made in the phase.
        ramp: the number of its only `WarmUp`, or None.
        is_closed: whether the next schedule begins a new phase, because a schedule was stepped or
            the program set the rate.
    """

    def __init__(self, base: float) -> None:
        self.base = self.product = base
        self.factors: dict[int, float] = {}
        self.schedules, self.is_closed = 0, False
        self.ramp: int | None = None

    def follow(self, rate: float) -> None:
        """Change the base rate if the rate is no longer the product."""
        if rate == self.product:
            return
        # A schedule that ended at 0 would keep every rate at 0; it counts again once it steps.
        self.factors = {number: factor for number, factor in self.factors.items() if factor}
        self.base, self.product = rate / multiplied(self.factors), rate
        self.is_closed = True

    def apply_to(self, optimizer: Optimizer, base: float, factors: dict[int, float]) -> None:
        """Set the rate of an optimizer to a product; if it refuses the rate, change nothing."""
        setattr(optimizer, optimizer.rate_name, base * multiplied(factors))
        self.product = rate_of(optimizer)
        self.base, self.factors = base, factors


def multiplied(factors: dict[int, float]) -> float:
    """Multiply factors in the order of their numbers, so that a resumed run has the same bits."""
    return math.prod(factors[number] for number in sorted(factors))


def rate_of(optimizer: Optimizer) -> float:
    """Return the learning rate of an optimizer."""
    rate: float = getattr(optimizer, optimizer.rate_name)
    return rate


def current_phase(optimizer: Optimizer) -> Phase:
    """Return the phase of an optimizer, after following a rate that the program has set."""
    rate = rate_of(optimizer)
    phase: Phase = vars(optimizer).setdefault("_schedule_phase", Phase(rate))
    phase.follow(rate)
    return phase


def open_phase(owner: str, optimizer: Optimizer) -> Phase:
    """Return the phase that a new schedule belongs to.

    Raises:
        ArgumentError: the base rate is 0, and so every product would be.
    """
    phase, rate = current_phase(optimizer), optimizer.rate_name
    if phase.is_closed:
        phase = Phase(rate_of(optimizer))
    if phase.base == 0:
        raise ArgumentError(
            f"{owner}: the learning rate is 0, perhaps where an earlier schedule ended, and a "
            f"schedule multiplies it; set optimizer.{rate} first, such as optimizer.{rate} = 0.1"
        )
    return phase


class Schedule:
    """Base of schedules. Subclasses define ``factor``.

    Args:
        optimizer: whose rate is multiplied. The factors of schedules that are made before the
            first step are multiplied; after a step, a new schedule replaces the earlier ones and
            starts from the current rate.

    Attributes:
        t: how many steps have been made.
        rate: the rate at factor 1, of this schedule and those that run beside it.

    Raises:
        ArgumentError: ``optimizer`` is not an optimizer, has no learning rate, or its rate is 0.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a schedule; raise an error with a hint for arguments that it does not take."""
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
        self._number: int | None = self._phase.schedules  # None as a part of another schedule
        self._phase.schedules += 1
        self._enter()
        self._apply()

    if not TYPE_CHECKING:  # type checkers know the attributes

        def __getattr__(self, name: str) -> Any:
            return no_attribute(self, name, SCHEDULE)

    def __repr__(self) -> str:
        return representation(self, self.optimizer)

    @property
    def rate(self) -> float:
        """The rate at factor 1, of this schedule and those that run beside it."""
        return self._phase.base if self._is_over() else current_phase(self.optimizer).base

    @rate.setter
    def rate(self, value: float) -> None:
        self._require_running("rate")
        self._apply(value)

    def factor(self, t: int) -> float:
        """What the rate is multiplied by at step ``t``."""
        raise NotImplementedError(f"{type(self).__name__} must define factor")

    def step(self) -> None:
        """Go on by one step.

        Raises:
            CallError: the schedule is part of another one, which steps it, or a later one has
                replaced it.
        """
        if self._number is None:
            raise CallError(
                f"{type(self).__name__}.step(): it is part of a WarmUp; step only the WarmUp"
            )
        self._require_running("step()")
        self.t += 1
        self._phase.is_closed = True
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Return the state to save: the step, the rate at factor 1, and whether it is over."""
        state = {"t": self.t, "rate": self.rate}
        return {**state, "is_over": True} if self._is_over() else state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of ``state_dict``, and set the optimizer's rate.

        If a later schedule had replaced the saved one, the rate stays as it is.
        """
        t, rate = state["t"], state["rate"]
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
        """Set the optimizer's rate, with this schedule's factor and perhaps a new base rate."""
        phase = current_phase(self.optimizer)
        factors = dict(phase.factors)
        if self._number is not None:
            factors[self._number] = self.factor(self.t)
            if factors[self._number] == 1:
                del factors[self._number]
        phase.apply_to(self.optimizer, phase.base if base is None else base, factors)

    def _enter(self) -> None:
        """Make this schedule's phase the current one of the optimizer."""
        vars(self.optimizer)["_schedule_phase"] = self._phase

    def _leave(self) -> None:
        """Take this schedule's factor out of the product."""
        if self._number is not None and not self._is_over():
            phase = current_phase(self.optimizer)
            factors = {n: factor for n, factor in phase.factors.items() if n != self._number}
            phase.apply_to(self.optimizer, phase.base, factors)

    def _become_part(self) -> None:
        """Leave the rate to a schedule that contains this one."""
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
                f"{type(self).__name__}.{what}: a later schedule of the optimizer has replaced it; "
                "step that one, or make schedules that run side by side before the first step"
            )


class StepDecay(Schedule):
    """The factor ``gamma`` once more at every ``step_size`` steps.

    Args:
        optimizer: whose rate is set.
        step_size: how many steps the rate stays the same, an integer of at least 1.
        gamma: the factor, at least 0 (default 0.1).

    Raises:
        ArgumentError: a number is out of its range, or as for `Schedule`.
        ArgumentTypeError: ``step_size`` is not an integer, or ``gamma`` not a number.
    """

    gamma: float = setting()

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = as_integer("StepDecay", "step_size", step_size, minimum=1)
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return float(self.gamma ** (t // self.step_size))


class CosineDecay(Schedule):
    """Half a cosine from 1 to ``lowest`` over ``steps`` steps; then it stays.

    Loshchilov and Hutter, "SGDR", 2017.

    Args:
        optimizer: whose rate is set.
        steps: how many steps the decay takes, an integer of at least 1.
        lowest: the last factor, at least 0 (default 0).

    Raises:
        ArgumentError: a number is out of its range, or as for `Schedule`.
        ArgumentTypeError: ``steps`` is not an integer, or ``lowest`` not a number.
    """

    lowest: float = setting()

    def __init__(self, optimizer: Optimizer, steps: int, lowest: float = 0.0) -> None:
        self.steps = as_integer("CosineDecay", "steps", steps, minimum=1)
        self.lowest = lowest
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        along = (1 + math.cos(math.pi * min(t / self.steps, 1.0))) / 2
        return self.lowest + (1 - self.lowest) * along


class WarmUp(Schedule):
    """A line from 1 / steps to 1 over ``steps`` steps, then another schedule, or 1.

    A second WarmUp of the same optimizer replaces the first, even before any step.

    Args:
        optimizer: whose rate is set.
        steps: how many steps the rise takes, an integer of at least 1.
        then: a schedule of the same optimizer, whose step 0 comes after the rise. Only the WarmUp
            steps it. Schedules that are stepped side by side are multiplied instead.

    Raises:
        ArgumentError: ``then`` is not a schedule, belongs to another optimizer, or was stepped
            already; ``steps`` is below 1, or as for `Schedule`.
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


def require_unused(then: Any, optimizer: Optimizer) -> None:
    """Raise `ArgumentError` unless ``then`` is a schedule of the optimizer at step 0."""
    if not isinstance(then, Schedule):
        raise ArgumentError(
            f"WarmUp: then is {then!r} ({type(then).__name__}); expected a schedule, such as "
            "CosineDecay(optimizer, 100)"
        )
    if then.optimizer is not optimizer:
        raise ArgumentError("WarmUp: then is a schedule of another optimizer")
    if then.t > 0:
        raise ArgumentError(
            f"WarmUp: then is a {type(then).__name__} that has made {then.t} steps; make a new one"
        )
