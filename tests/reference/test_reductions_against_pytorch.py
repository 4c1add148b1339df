"""Compare reductions, cumulative sums and products, norms and sorting with PyTorch.

Shapes, axes and values are random, and some values are 0 or equal. All is computed in float64;
gradients, and the gradients of a gradient, are compared too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_against_pytorch import compare

from dezero_core import functions as C


def norms(ord: float) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return DeZero's and PyTorch's norm of one order."""
    return (
        lambda x, axis: C.vector_norm(x, ord, axis),
        lambda x, axis: torch.linalg.vector_norm(x, ord, axis),
    )


PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "prod": (C.prod, torch.prod),
    "cumulative_sum": (C.cumulative_sum, torch.cumsum),
    "cumulative_prod": (C.cumulative_prod, torch.cumprod),
    "var": (C.var, lambda x, axis: torch.var(x, axis, correction=0)),
    "norm 1": norms(1),
    "norm 2": norms(2),
    "norm 3": norms(3),
    "sort": (C.sort, lambda x, axis: torch.sort(x, stable=True, dim=axis)[0]),
    "sort descending": (
        lambda x, axis: C.sort(x, axis, descending=True),
        lambda x, axis: torch.sort(x, stable=True, dim=axis, descending=True)[0],
    ),
}
WITHOUT_ZEROS = ("norm 2", "norm 3")
"""Ops of which PyTorch's second derivative at 0 is NaN."""


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=60)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 2), st.integers(0, 99))
def test_reductions(name: str, shape: list[int], axis: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-3, 4, shape) / 2
    added, axis, (ours, theirs) = float(name in WITHOUT_ZEROS), axis % len(shape), PAIRS[name]
    compare(
        lambda x: ours(x * x + x + added, axis=axis), lambda x: theirs(x * x + x + added, axis), x
    )
