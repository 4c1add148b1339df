"""Embedding: numbers in, rows of a table out."""

from __future__ import annotations

from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.errors import ShapeError
from dezero_core.functions import get_item
from dezero_core.hints import hinted

from .labels import require_classes


@hinted
def embed_id(x: Any, W: Any) -> Variable:
    """Return the rows ``x`` of ``W``; a row taken several times gets the sum of its gradients.

    Args:
        x: integers from [0, V), any shape. The range is checked on every backend but
            accelerators, where looking would make the host wait.
        W: the table, shape (V, D).

    Returns:
        shape (*x.shape, D).

    Raises:
        ShapeError: ``W`` has not two axes.
        LabelError: ``x`` are no integers, or out of range.
    """
    if W.ndim != 2:
        raise ShapeError(f"embed_id: W {tuple(W.shape)}; expected a table (V, D)")
    x = as_variable(x).data
    require_classes("embed_id", "id", x, W.shape[0], of="rows in the table")
    return get_item(W, x)
