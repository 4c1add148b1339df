"""Define learning-rate schedules whose factor depends only on the number of steps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable

from dezero_core.arguments import as_integer, as_integers, as_number
from dezero_core.errors import ArgumentError

from .optimizer import Optimizer
from .schedules import Schedule
from .settings import setting


class ExponentialDecay(Schedule):
    """Multiply the learning rate by ``gamma`` after every step.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        gamma: the factor, at least 0.

    Raises:
        ArgumentError: ``gamma`` is out of its range, or ``optimizer`` is invalid; see `Schedule`.
    """

    gamma: float = setting()

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return float(self.gamma**t)


class MultiStepDecay(Schedule):
    """Multiply the learning rate by ``gamma`` at each of the steps in ``milestones``.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        milestones: a list of integers above 0, in increasing order.
        gamma: the factor, at least 0 (default 0.1).

    Raises:
        ArgumentError: ``milestones`` do not increase, ``gamma`` is out of its range, or
            ``optimizer`` is invalid; see `Schedule`.
        ArgumentTypeError: ``milestones`` are not integers.
    """

    gamma: float = setting()

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = as_integers("MultiStepDecay", "milestones", milestones)
        if any(a >= b for a, b in zip((0, *self.milestones), self.milestones, strict=False)):
            raise ArgumentError(
                f"MultiStepDecay: milestones are {list(self.milestones)}; expected integers above "
                "0 in increasing order"
            )
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return float(self.gamma ** bisect_right(self.milestones, t))


class LinearDecay(Schedule):
    """Decrease the factor along a line, from 1 to ``lowest`` in ``steps`` steps.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        steps: the number of steps until the factor is ``lowest``, an integer of at least 1.
        lowest: the factor after ``steps`` steps, at least 0 (default 0).

    Raises:
        ArgumentError: a number is out of its range, or ``optimizer`` is invalid; see `Schedule`.
        ArgumentTypeError: ``steps`` is not an integer.
    """

    lowest: float = setting()

    def __init__(self, optimizer: Optimizer, steps: int, lowest: float = 0.0) -> None:
        self.steps = as_integer("LinearDecay", "steps", steps, minimum=1)
        self.lowest = lowest
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return 1 + (self.lowest - 1) * min(t / self.steps, 1.0)


class CosineRestarts(Schedule):
    """Decrease the factor along half a cosine again and again, starting at 1 each time.

    Loshchilov and Hutter, "SGDR", 2017.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        steps: the number of steps of the first decay, an integer of at least 1.
        growth: the length of each decay divided by the length of the one before it, an integer of
            at least 1 (default 1).
        lowest: the factor at the end of each decay, at least 0 (default 0).

    Raises:
        ArgumentError: a number is out of its range, or ``optimizer`` is invalid; see `Schedule`.
        ArgumentTypeError: ``steps`` or ``growth`` is not an integer.
    """

    lowest: float = setting()

    def __init__(
        self, optimizer: Optimizer, steps: int, growth: int = 1, lowest: float = 0.0
    ) -> None:
        self.steps = as_integer("CosineRestarts", "steps", steps, minimum=1)
        self.growth = as_integer("CosineRestarts", "growth", growth, minimum=1)
        self.lowest = lowest
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        length = self.steps
        while t >= length:
            t, length = t - length, length * self.growth
        return cosine(1.0, self.lowest, t / length)


class OneCycle(Schedule):
    """Raise the factor from ``start`` to 1, then lower it to ``lowest``, along two half cosines.

    The learning rate of the optimizer is the highest rate of the cycle. PyTorch's OneCycleLR
    computes the same rates, and also changes the momentum. Smith and Topin, "Super-Convergence",
    2018.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        steps: the number of steps of the cycle, an integer of at least 1.
        warm_up: the fraction of the steps in which the rate rises, in [0, 1) (default 0.3).
        start: the factor at step 0, at least 0 (default 1 / 25).
        lowest: the factor at the last step and after it, at least 0 (default ``start`` / 10,000).

    Raises:
        ArgumentError: a number is out of its range, or ``optimizer`` is invalid; see `Schedule`.
        ArgumentTypeError: ``steps`` is not an integer.
    """

    warm_up: float = setting(below=1)
    start: float = setting()
    lowest: float = setting()

    def __init__(
        self,
        optimizer: Optimizer,
        steps: int,
        warm_up: float = 0.3,
        start: float = 1 / 25,
        lowest: float | None = None,
    ) -> None:
        self.steps = as_integer("OneCycle", "steps", steps, minimum=1)
        self.warm_up, self.start = warm_up, start
        self.lowest = self.start / 1e4 if lowest is None else lowest
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        top, end = self.warm_up * self.steps - 1, self.steps - 1
        if t < top:
            return cosine(self.start, 1.0, t / top)
        return cosine(1.0, self.lowest, min((t - top) / (end - top), 1.0))


class LambdaSchedule(Schedule):
    """Multiply the learning rate by ``function(t)``, where t counts the steps from 0.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        function: takes an integer and returns a number of at least 0.

    Raises:
        ArgumentError: ``function`` is not callable, or ``optimizer`` is invalid; see `Schedule`.
        ArgumentTypeError: ``function`` returns anything but a number.
    """

    def __init__(self, optimizer: Optimizer, function: Callable[[int], float]) -> None:
        if not callable(function):
            raise ArgumentError(
                f"LambdaSchedule: function is {function!r}; expected a function of the step, such "
                "as lambda t: 0.95**t"
            )
        self.function = function
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return as_number("LambdaSchedule", "the result of function", self.function(t))


def cosine(start: float, end: float, part: float) -> float:
    """Return a value between ``start`` (part 0) and ``end`` (part 1), along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2
