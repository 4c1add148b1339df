"""Check the engine whose ranks are threads, and that no error makes a rank wait forever."""

from typing import Any

import numpy as np
import pytest

from dezero_core import no_grad, seed
from dezero_core.config import Config
from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_core.extend import Communicator, generator, rank_generator
from dezero_parallel.threads import run_ranks


def raising(communicator: Communicator) -> None:
    if communicator.rank == 1:
        raise ZeroDivisionError("mine")
    communicator.gather(0)


def returning(communicator: Communicator) -> None:
    if communicator.rank == 0:
        communicator.wait(communicator.start(np.ones(2)))


def leaving(communicator: Communicator) -> None:
    if communicator.rank == 1:
        communicator.leave(7)
    communicator.gather(0)


def disordered(communicator: Communicator) -> None:
    communicator.broadcast(0) if communicator.rank else communicator.gather(0)


def unequal(communicator: Communicator) -> None:
    communicator.wait(communicator.start(np.ones(1 + communicator.rank)))


def aborting(communicator: Communicator) -> None:
    if communicator.rank == 1:
        return communicator.abort()
    communicator.gather(0)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (raising, ZeroDivisionError, "mine"),
        (returning, CommunicatorError, "rank 0 waits in start for rank 1, which has returned"),
        (leaving, CommunicatorError, "which left after step 7"),
        (disordered, CommunicatorError, "rank . called .* where rank . called"),
        (unequal, CommunicatorError, r"different arrays \(float64 of shape \(1,\), "),
        (aborting, CommunicatorError, "which was ended by rank 1"),
    ],
)
def test_an_error_ends_all_ranks(function: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        run_ranks(3 if function is raising else 2, function)
    assert any("on rank" in note for note in caught.value.__notes__)


def test_the_ranks_that_wait_name_the_rank_that_failed() -> None:
    errors: list[Any] = run_ranks(3, raising, return_errors=True)
    assert "rank 0 waits in gather for rank 1, which raised ZeroDivisionError: mine" in str(
        errors[0]
    )
    assert isinstance(errors[1], ZeroDivisionError) and isinstance(errors[2], CommunicatorError)


def test_each_rank_has_the_context_and_its_own_random_numbers() -> None:
    def draw(communicator: Communicator) -> tuple[bool, float, float]:
        seed(communicator.rank) if communicator.rank == 2 else None
        return Config.enable_backprop, generator().random(), rank_generator().random()

    before = generator().bit_generator.state
    with no_grad():
        first, second, third = run_ranks(3, draw)
    assert not first[0] and first[1] == second[1] != third[1]
    assert len({x[2] for x in (first, second, third)}) == 3
    assert str(generator().bit_generator.state) == str(before)


def test_there_is_a_rank() -> None:
    with pytest.raises(ArgumentError, match="size is 0; expected 1 or more"):
        run_ranks(0, raising)
