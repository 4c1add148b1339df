"""Define `Phase`, in which the schedules of one optimizer share its learning rate."""

from __future__ import annotations

import math

from dezero_core.errors import ArgumentError

from .optimizer import Optimizer


class Phase:
    """Schedules that run side by side; the rate is a base rate times all their factors.

    If a program sets the rate itself, the base rate changes so that the product is that rate.

    Attributes:
        base: the rate if all factors are 1.
        product: the rate that was set last.
        factors: the factors other than 1, by the number of the schedule in the phase.
        schedules: the number of schedules created in the phase.
        ramp: the number of the phase's `WarmUp`, or None.
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
        # A factor of 0 would keep every rate at 0. Its schedule adds a factor when it steps again.
        self.factors = {number: factor for number, factor in self.factors.items() if factor}
        self.base, self.product = rate / multiplied(self.factors), rate
        self.is_closed = True

    def apply_to(self, optimizer: Optimizer, base: float, factors: dict[int, float]) -> None:
        """Set an optimizer's rate to the product; change nothing if the optimizer refuses it."""
        setattr(optimizer, optimizer.rate_name, base * multiplied(factors))
        self.product = rate_of(optimizer)
        self.base, self.factors = base, factors


def multiplied(factors: dict[int, float]) -> float:
    """Multiply factors in the order of their numbers, so that a resumed run rounds the same."""
    return math.prod(factors[number] for number in sorted(factors))


def rate_of(optimizer: Optimizer) -> float:
    """Return the learning rate of an optimizer."""
    rate: float = getattr(optimizer, optimizer.rate_name)
    return rate


def current_phase(optimizer: Optimizer) -> Phase:
    """Return the phase of an optimizer, updated if the program has set the rate."""
    rate = rate_of(optimizer)
    phase: Phase = vars(optimizer).setdefault("_schedule_phase", Phase(rate))
    phase.follow(rate)
    return phase


def open_phase(owner: str, optimizer: Optimizer) -> Phase:
    """Return the phase that a new schedule belongs to: the current one, or a new one.

    Raises:
        ArgumentError: the base rate is 0, so that every product would be 0.
    """
    phase, rate = current_phase(optimizer), optimizer.rate_name
    if phase.is_closed:
        phase = Phase(rate_of(optimizer))
    if phase.base == 0:
        raise ArgumentError(
            f"{owner}: the learning rate is 0, perhaps because an earlier schedule ended there; a "
            f"schedule multiplies it, so set optimizer.{rate} first, such as optimizer.{rate} = 0.1"
        )
    return phase
