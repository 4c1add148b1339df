"""Define the embedding op, which looks up rows of a table by integers."""

from __future__ import annotations

from dezero_core import Variable, as_variable
from dezero_core.errors import ShapeError
from dezero_core.functions import get_item
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .labels import require_classes


@hinted
def embed_id(x: Operand, W: AnyArray) -> Variable:
    """Return the rows of ``W`` at the indices ``x``; gradients of repeated rows are summed.

    Args:
        x: integers from [0, V), any shape. The range of ``x`` is checked unless ``x`` is on an
            accelerator, where the check would make the host wait.
        W: the table, shape (V, D).

    Returns:
        shape (*x.shape, D).

    Raises:
        ShapeError: ``W`` does not have two axes.
        LabelError: the elements of ``x`` are not integers, or one is out of range.
    """
    if W.ndim != 2:
        raise ShapeError(f"embed_id: W {tuple(W.shape)}; expected a table (V, D)")
    ids = as_variable(x).data
    require_classes("embed_id", "id", ids, W.shape[0], of="rows in the table")
    return get_item(W, ids)
