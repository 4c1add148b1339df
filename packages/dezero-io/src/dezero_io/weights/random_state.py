"""The states of random number generators, as parts of a checkpoint."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from dezero_core.errors import WeightsError
from dezero_core.state import seeded_generator, use_generator

KINDS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
"""NumPy's bit generators, by the names in their states."""


class StatefulGenerator:
    """A NumPy generator as a part.

    Args:
        generator: whose state it is.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def state_dict(self) -> dict[str, Any]:
        """What NumPy says of it."""
        return dict(self.generator.bit_generator.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Draw on from there.

        Raises:
            WeightsError: it is a generator of another kind.
        """
        set_state(self.generator.bit_generator, state)


class Generators:
    """What is drawn from by programs that name no generator: DeZero's, NumPy's, Python's."""

    def state_dict(self) -> dict[str, Any]:
        """The states by owner; DeZero's is None before `dezero_core.seed`."""
        own = seeded_generator()
        return {
            "dezero": None if own is None else dict(own.bit_generator.state),
            "numpy": dict(np.random.get_bit_generator().state),  # type: ignore[attr-defined]
            "python": random.getstate(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let all of them draw on from there.

        Raises:
            WeightsError: NumPy's has been replaced by one of another kind.
        """
        own = state["dezero"]
        made = None if own is None else made_of(own)
        set_state(np.random.get_bit_generator(), state["numpy"])  # type: ignore[attr-defined]
        version, numbers, gauss = state["python"]
        random.setstate((version, tuple(numbers), gauss))
        use_generator(made)


def made_of(state: dict[str, Any]) -> np.random.Generator:
    """A new generator that has this state."""
    if state.get("bit_generator") not in KINDS:
        raise WeightsError(f"no generator of kind {state.get('bit_generator')!r}")
    bits = getattr(np.random, state["bit_generator"])()
    set_state(bits, state)
    return np.random.Generator(bits)


def set_state(bits: Any, state: dict[str, Any]) -> None:
    """Give a bit generator a state of its kind."""
    try:
        bits.state = state
    except (ValueError, TypeError, KeyError) as error:
        kinds = f"{state.get('bit_generator')!r}, now it is {type(bits).__name__!r}"
        raise WeightsError(f"the generator's state is of kind {kinds}: {error}") from error
