"""Define the embedding op, which looks up rows of a table by integers."""

from __future__ import annotations

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.functions import expand_dims, get_item, where
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .labels import require_classes


@hinted
def embed_id(x: Operand, W: AnyArray) -> Variable:
    """Return the rows of ``W`` at the indices ``x``; gradients of repeated rows are summed.

    Args:
        x: integers from [0, V), any shape. The range of ``x`` is checked unless ``x`` is on an
            accelerator or in a lazy library, where DeZero would wait for a value.
        W: the table, shape (V, D).

    Returns:
        shape (*x.shape, D).

    Raises:
        ShapeError: ``W`` does not have two axes.
        LabelError: the elements of ``x`` are not integers, or one is out of range.
    """
    return look_up("embed_id", x, W)


@hinted
def embedding(ids: Operand, W: AnyArray, padding_idx: int | None = None) -> Variable:
    """Return the rows of ``W`` at the indices ``ids``, as `embed_id` does.

    Args:
        ids, W: as for `embed_id`.
        padding_idx: the id of padding, from -V to V - 1, or None (default). Rows at this id get no
            gradient.

    Raises:
        ArgumentError: ``padding_idx`` is not in [-V, V).
        ShapeError, LabelError: as for `embed_id`.
    """
    y = look_up("embedding", ids, W)
    if padding_idx is None:
        return y
    row = require_row("embedding", padding_idx, W.shape[0])
    is_padding = expand_dims(as_variable(ids), -1).data == row
    return where(is_padding, Variable(y.data, requires_grad=False), y)


def look_up(op: str, x: Operand, W: AnyArray) -> Variable:
    """Return ``W[x]`` after checking the table and the ids."""
    if W.ndim != 2:
        raise ShapeError(f"{op}: W {tuple(W.shape)}; expected a table (V, D)")
    ids = as_variable(x).data
    require_classes(op, "id", ids, W.shape[0], of="rows in the table")
    return get_item(W, ids)


def require_row(op: str, padding_idx: int, rows: int) -> int:
    """Return ``padding_idx`` as an index that is not negative."""
    index = as_integer(op, "padding_idx", padding_idx)
    if not -rows <= index < rows:
        raise ArgumentError(
            f"{op}: padding_idx {index} with {rows} rows in the table; expected an index in "
            f"[{-rows}, {rows}), or None"
        )
    return index % rows
