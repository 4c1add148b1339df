"""Define `Phase`, a group of schedules that change the learning rate of one optimizer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dezero_core.errors import ArgumentError

if TYPE_CHECKING:
    from .optimizer import Optimizer


class Phase:
    """Schedules that run at the same time; the learning rate is the base rate times all factors.

    If the program sets the learning rate, the base rate is changed so that the base rate times all
    factors equals the new learning rate.

    Attributes:
        base: the learning rate if all factors are 1.
        product: the learning rate that was set last.
        factors: a dictionary from the number of a schedule to its factor, without factors of 1.
        schedules: the number of schedules created in the phase.
        ramp: the number of the phase's `WarmUp`, or None.
        is_closed: whether the next schedule begins a new phase, because a schedule was stepped or
            the program set the learning rate.
    """

    def __init__(self, base: float) -> None:
        self.base = self.product = base
        self.factors: dict[int, float] = {}
        self.schedules, self.is_closed = 0, False
        self.ramp: int | None = None

    def follow(self, rate: float) -> None:
        """Change the base rate to match ``rate``, if the program has set the learning rate."""
        if rate == self.product:
            return
        # Drop factors of 0, to avoid a division by 0. At its next step, a schedule adds its factor
        # again.
        self.factors = {number: factor for number, factor in self.factors.items() if factor}
        self.base, self.product = rate / multiply_factors(self.factors), rate
        self.is_closed = True

    def apply_to(self, optimizer: Optimizer, base: float, factors: dict[int, float]) -> None:
        """Set the learning rate to ``base`` times all factors; if this fails, change nothing."""
        setattr(optimizer, optimizer.rate_name, base * multiply_factors(factors))
        self.product = rate_of(optimizer)
        self.base, self.factors = base, factors


def multiply_factors(factors: dict[int, float]) -> float:
    """Multiply the factors in a fixed order, so that a resumed run has the same rounding."""
    return math.prod(factors[number] for number in sorted(factors))


def rate_of(optimizer: Optimizer) -> float:
    """Return the learning rate of an optimizer."""
    rate: float = getattr(optimizer, optimizer.rate_name)
    return rate


def current_phase(optimizer: Optimizer) -> Phase:
    """Return the phase of an optimizer, updated if the program has set the learning rate."""
    rate = rate_of(optimizer)
    phase: Phase = vars(optimizer).setdefault("_schedule_phase", Phase(rate))
    phase.follow(rate)
    return phase


def open_phase(owner: str, optimizer: Optimizer) -> Phase:
    """Return the phase that a new schedule belongs to: the current one, or a new one.

    Raises:
        ArgumentError: the base rate is 0, so that the learning rate would always be 0.
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
