"""Save and restore the states of random number generators, as parts of a checkpoint."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from dezero_core.errors import WeightsError
from dezero_core.state import streams

BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
"""The names of the bit generators that can be restored."""


class StatefulGenerator:
    """Wrap a NumPy generator, so that it can be a part of a checkpoint.

    Args:
        generator: the generator to save and restore.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the bit generator, a dictionary in NumPy's format."""
        return dict(self.generator.bit_generator.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state: the generator then draws the same random numbers again.

        Raises:
            WeightsError: the state was saved from another type of bit generator.
        """
        set_state(self.generator.bit_generator, state)


class Generators:
    """Save and restore the global random generators of DeZero, NumPy and Python."""

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all generators.

        The state of `dezero_core.extend.generator` is None if `dezero_core.seed` was not called. In
        a program of one process, the state of `dezero_core.extend.rank_generator` is None.
        """
        own, of_rank = streams().seeded, streams().of_rank
        return {
            "dezero": None if own is None else dict(own.bit_generator.state),
            "rank": None if of_rank is None else dict(of_rank.bit_generator.state),
            "numpy": dict(np.random.get_bit_generator().state),  # type: ignore[attr-defined]
            "python": random.getstate(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the states of the generators of DeZero, NumPy and Python.

        If the state of `dezero_core.extend.rank_generator` is None or missing, this generator does
        not change.

        Raises:
            WeightsError: NumPy's state was saved from another type of bit generator.
        """
        own, of_rank = [
            None if saved is None else generator_from(saved)
            for saved in (state["dezero"], state.get("rank"))
        ]
        set_state(np.random.get_bit_generator(), state["numpy"])  # type: ignore[attr-defined]
        version, numbers, gauss = state["python"]
        random.setstate((version, tuple(numbers), gauss))
        streams().seeded = own
        if of_rank is not None:
            streams().of_rank = of_rank


def generator_from(state: dict[str, Any]) -> np.random.Generator:
    """Create a NumPy generator with a saved state."""
    name = state.get("bit_generator")
    if name not in BIT_GENERATORS:
        raise WeightsError(f"NumPy has no bit generator {name!r}")
    bits = getattr(np.random, name)()
    set_state(bits, state)
    return np.random.Generator(bits)


def set_state(bits: np.random.BitGenerator, state: dict[str, Any]) -> None:
    """Restore the state of a bit generator; the state must be of the same type as ``bits``."""
    try:
        bits.state = state
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"the generator's state is of type {state.get('bit_generator')!r}, the generator is "
            f"of type {type(bits).__name__!r}: {error}"
        ) from error
