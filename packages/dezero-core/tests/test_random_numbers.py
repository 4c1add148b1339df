"""Check which random numbers are equal on all ranks of a job, and which differ."""

from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

from dezero_core import seed
from dezero_core.extend import generator, get_backend, rank_generator
from dezero_core.state import drawing_from, own_streams, use_rank


def draws() -> tuple[float, list[bool], float]:
    """Return a common number, a dropout mask, and the next common number."""
    first = generator().random()
    mask = get_backend("numpy").bernoulli(0.5, np.zeros(64))
    return first, mask.tolist(), generator().random()


def of_rank(rank: int | None, n: int | None = None) -> Any:
    """Draw on a rank whose generators begin alike; with ``n``, after ``seed(n)``."""

    def job() -> Any:
        own_streams(np.random.default_rng(7))
        use_rank(rank)
        if n is not None:
            rank_generator().random()
            seed(n)
        return draws()

    return copy_context().run(job)


@pytest.mark.parametrize("n", [None, 3])
def test_only_what_may_differ_differs_between_ranks(n: int | None) -> None:
    (a, mask, b), (c, other, d) = of_rank(0, n), of_rank(1, n)
    assert (a, b) == (c, d) and mask != other
    assert a == of_rank(None, n)[0], "as in one process"
    assert of_rank(1, n) == (c, other, d), "repeatable"


def test_one_process_has_one_generator() -> None:
    def job() -> None:
        own_streams(None)
        seed(3)
        assert rank_generator() is generator()
        use_rank(2)
        assert rank_generator() is not generator()
        batch = np.random.default_rng(0)
        with drawing_from(lambda: batch):
            assert rank_generator() is generator() is batch
        use_rank(None)
        assert rank_generator() is generator()

    before = generator().bit_generator
    copy_context().run(job)
    assert generator().bit_generator is before


def test_a_rank_changes_nothing_without_a_rank() -> None:
    assert of_rank(None, 3) == of_rank(None, 3) != of_rank(None, 4)
