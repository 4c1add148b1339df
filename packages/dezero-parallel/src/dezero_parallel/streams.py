"""Give the ranks equal random numbers for what must be equal, such as initial weights."""

from __future__ import annotations

from dezero_core.state import use_rank
from dezero_io.weights.random_state import Generators

from .collectives import Collectives


def copy_streams(collectives: Collectives, place: str) -> None:
    """Set the generators of DeZero, NumPy and Python on all ranks to the states of rank 0.

    Weights that are drawn afterwards are equal on all ranks, also those of layers that take their
    size from the first input. Dropout masks and augmented images differ between the ranks.
    """
    states = collectives.broadcast(place, Generators().state_dict())
    if collectives.rank:
        Generators().load_state_dict(states)
    use_rank(collectives.rank)
