"""Test checkpoints with a part that differs between the ranks."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dezero_core.errors import CommunicatorError
from dezero_io import Checkpointer

sys.path.insert(0, str(Path(__file__).parent))
from parallel_ranks import succeed


class Note:
    """Store a value as a part of a program; each rank may store another value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def state_dict(self) -> Any:
        return {"value": self.value}

    def load_state_dict(self, state: Any) -> None:
        self.value = state["value"]


def save(folder: Path, size: int, value_of: Any) -> None:
    succeed(
        size, lambda world: world.save(Checkpointer(folder), 1, note=Note(value_of(world.rank)))
    )


def load(folder: Path, size: int) -> list[Any]:
    def loaded(world: Any) -> Any:
        note = Note(None)
        world.load(Checkpointer(folder), note=note)
        return note.value

    return succeed(size, loaded)


def test_each_rank_gets_its_own_state_of_a_part(tmp_path: Path) -> None:
    save(tmp_path, 3, lambda rank: [rank, 10 * rank])
    assert load(tmp_path, 3) == [[0, 0], [1, 10], [2, 20]]


def test_a_part_that_differs_needs_as_many_ranks(tmp_path: Path) -> None:
    save(tmp_path, 2, lambda rank: rank)
    with pytest.raises(CommunicatorError, match="the part 'note' differs between the 2 ranks"):
        load(tmp_path, 3)


def test_a_part_that_is_equal_is_loaded_by_any_number_of_ranks(tmp_path: Path) -> None:
    save(tmp_path, 2, lambda rank: "equal")
    assert load(tmp_path, 3) == ["equal"] * 3
