"""Dropout, the inverted kind."""

from __future__ import annotations

from typing import Any

from dezero_core import Config, Variable, as_variable
from dezero_core.errors import ArgumentError
from dezero_core.extend import backend_of, cast


def dropout(x: Any, dropout_ratio: float = 0.5) -> Variable:
    """Drop each element with probability ``dropout_ratio``, scale up the rest (book step 54).

    What is kept is divided by the probability of being kept, so that the expectation is ``x``.
    Inside ``test_mode()`` everything passes unchanged. The mask is drawn where ``x`` lives.
    Srivastava et al., "Dropout", JMLR 15 (2014).

    Raises:
        ArgumentError: ``dropout_ratio`` is not in [0, 1).
    """
    if not 0 <= dropout_ratio < 1:
        raise ArgumentError(f"dropout: dropout_ratio {dropout_ratio} is not in [0, 1)")
    x = as_variable(x)
    if not Config.train or dropout_ratio == 0:
        return x
    kept = backend_of(x.data).uniform(x.shape, x.dtype) >= dropout_ratio
    return x * (cast(kept, x.dtype) * (1 / (1 - dropout_ratio)))
