"""Check class labels and probabilities, and make one-hot rows."""

from __future__ import annotations

import math

from dezero_core import get_array_module
from dezero_core.dtypes import cast
from dezero_core.errors import (
    ArgumentError,
    BackendMismatch,
    LabelError,
    ShapeError,
    UnsupportedType,
)
from dezero_core.extend import Array, backend_of, unwrap
from dezero_core.variable import AnyArray


def require_classes(op: str, what: str, t: Array, count: int, of: str = "classes") -> None:
    """Raise `LabelError` unless ``t`` is an array of integers from [0, count).

    Only the dtype is checked if the values cannot be read without waiting, as on accelerators and
    in traced graphs; see `ArrayBackend.can_read`.
    """
    try:
        backend = backend_of(t)
    except UnsupportedType as error:
        raise UnsupportedType(f"{op}: {what}s: {error}") from None
    xp = get_array_module(t)
    if not xp.isdtype(t.dtype, "integral"):
        raise LabelError(f"{op}: {what}s are integers, got {t.dtype}")
    if 0 in t.shape or not backend.can_read(t):
        return
    lowest, highest = int(xp.min(t)), int(xp.max(t))
    if lowest < 0 or highest >= count:
        wrong = lowest if lowest < 0 else highest
        raise LabelError(f"{op}: {what} {wrong} with {count} {of}; {what}s start at 0")


def require_library(op: str, name: str, array: Array, x: Array) -> None:
    """Raise `BackendMismatch` unless ``array`` and ``x`` are arrays of one library."""
    given, expected = backend_of(array).name, backend_of(x).name
    if given != expected:
        raise BackendMismatch(
            f"{op}: {name} is an array of {given}, x of {expected}; expected one library; move "
            f"{name} with Variable({name}).to({expected!r})"
        )


def require_range(op: str, name: str, x: Array, highest: float = 1.0) -> None:
    """Raise `ArgumentError` unless all elements of ``x`` are finite numbers in [0, highest].

    Nothing is checked if the values cannot be read without waiting; see `ArrayBackend.can_read`.
    """
    if 0 in x.shape or not backend_of(x).can_read(x):
        return
    xp = get_array_module(x)
    smallest, largest = float(xp.min(x)), float(xp.max(x))
    if not (smallest >= 0 and largest <= highest and math.isfinite(largest)):
        wrong = largest if smallest >= 0 else smallest
        raise ArgumentError(f"{op}: {name} contains {wrong}: expected numbers in [0, {highest}]")


def check_labels(op: str, x: AnyArray, t: Array) -> None:
    """Check that ``t`` is an array of labels, one for each row of the scores ``x``.

    Raises:
        ShapeError: the number of labels differs from the number of rows, or ``x`` has no rows.
        LabelError: as for `require_classes`.
        UnsupportedType: ``t`` is not an array.
    """
    if isinstance(t, list | tuple):
        what = f"{op}: t is of type {type(t).__name__}"
        raise UnsupportedType(f"{what}; expected an array of integer labels")
    if x.ndim != 2 or tuple(t.shape) not in ((x.shape[0],), (x.shape[0], 1)):
        raise ShapeError(
            f"{op}: scores {tuple(x.shape)} and labels {tuple(t.shape)}: scores are (N, C) and "
            "labels (N,) integers; convert one-hot rows by argmax"
        )
    if x.shape[0] == 0:
        raise ShapeError(f"{op}: scores {tuple(x.shape)}: the batch is empty")
    require_classes(op, "label", t, x.shape[1])


def one_hot(x: AnyArray, t: AnyArray) -> Array:
    """Return an array like the scores ``x`` with 1 at each row's label, else 0."""
    return cast(is_label(x, t), x.dtype)


def is_label(x: AnyArray, t: AnyArray) -> Array:
    """Return booleans in the shape of the scores ``x``, True at each row's label."""
    scores, labels = unwrap(x), unwrap(t)
    xp = get_array_module(scores)
    classes = backend_of(labels).arange(scores.shape[1], labels)
    return classes == xp.reshape(cast(labels, xp.int64), (scores.shape[0], 1))
