"""Define the settings of optimizers, which are checked whenever they are set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from reprlib import repr as shortened
from typing import Any

from dezero_core.arguments import as_number, require_bool
from dezero_core.errors import ArgumentError, KeyMismatch


class Setting:
    """A setting of an optimizer: a finite number in a range, stored as a Python float.

    Python floats do not change the dtype of arrays; NumPy numbers would turn float32 states into
    float64. Reading a setting is as fast as reading a plain attribute, because only assignments are
    intercepted.

    Args:
        positive: refuse 0 when the optimizer is created (default False). Later assignments may be
            0, so that a schedule can end at 0.
        below: the upper limit, excluded (default: none).
    """

    def __init__(self, positive: bool = False, below: float = math.inf) -> None:
        self.positive, self.below = positive, below

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, optimizer: object, value: object) -> None:
        is_first = self.name not in vars(optimizer)
        vars(optimizer)[self.name] = self.checked(type(optimizer).__name__, value, is_first)

    def checked(self, owner: str, value: object, is_first: bool) -> float:
        """Return ``value`` as a float, if it is in the range.

        Raises:
            ArgumentTypeError: ``value`` is not a number.
            ArgumentError: ``value`` is not finite, or out of range.
        """
        number = as_number(owner, self.name, value)
        is_zero_allowed = not (self.positive and is_first)
        if 0 < number < min(self.below, LARGEST) or (number == 0 and is_zero_allowed):
            return float(number)
        low = "at least 0" if is_zero_allowed else "above 0"
        high = f" and below {self.below:g}" if self.below < math.inf else ""
        raise ArgumentError(
            f"{owner}: {self.name} is {shortened(value)}; expected a finite number {low}{high}"
        )


LARGEST = 1e300
"""The largest value of a setting: a larger value is a mistake, or does not fit a float."""


def setting(positive: bool = False, below: float = math.inf) -> Any:
    """Return a `Setting`, for a class attribute that is annotated as a float."""
    return Setting(positive, below)


class Switch:
    """A setting of an optimizer that is True or False."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, optimizer: object, value: object) -> None:
        require_bool(type(optimizer).__name__, self.name, value)
        vars(optimizer)[self.name] = bool(value)


def switch() -> Any:
    """Return a `Switch`, for a class attribute that is annotated as a bool."""
    return Switch()


def numbers_of(x: object) -> dict[str, Any]:
    """Return the attributes of ``x`` that are numbers, as a dictionary from names to values."""
    return {name: value for name, value in vars(x).items() if isinstance(value, Real)}


def representation(x: object, *first: object) -> str:
    """Format ``x`` as ``Class(setting=number, ...)``, with ``first`` before the settings."""
    settings = [f"{name}={n}" for name, n in numbers_of(x).items() if not name.startswith("_")]
    return f"{type(x).__name__}({', '.join([*map(repr, first), *settings])})"


def require_state(owner: object, state: object, *keys: str) -> None:
    """Raise `KeyMismatch` unless ``state`` is a dictionary that has all of ``keys``."""
    given = list(state) if isinstance(state, Mapping) else []
    if any(key not in given for key in keys):
        what = (
            f"the keys {', '.join(map(repr, given))}"
            if given
            else f"an object of type {type(state).__name__}"
        )
        raise KeyMismatch(
            f"{type(owner).__name__}.load_state_dict: got {what}; expected the result of "
            f"state_dict() of a {type(owner).__name__}, with {', '.join(map(repr, keys))}"
        )
