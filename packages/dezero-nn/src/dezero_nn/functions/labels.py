"""Check labels and ids, the integers that choose one of several classes."""

from __future__ import annotations

from dezero_core import get_array_module
from dezero_core.errors import LabelError, UnsupportedType
from dezero_core.extend import Array, backend_of


def require_classes(op: str, what: str, t: Array, count: int, of: str = "classes") -> None:
    """Raise `LabelError` unless ``t`` is an array of integers from [0, count)."""
    try:
        backend = backend_of(t)
    except UnsupportedType as error:
        raise UnsupportedType(f"{op}: {what}s: {error}") from None
    xp = get_array_module(t)
    if not xp.isdtype(t.dtype, "integral"):
        raise LabelError(f"{op}: {what}s are integers, got {t.dtype}")
    if "accelerator" in backend.capabilities or 0 in t.shape:
        return
    lowest, highest = int(xp.min(t)), int(xp.max(t))
    if lowest < 0 or highest >= count:
        wrong = lowest if lowest < 0 else highest
        raise LabelError(f"{op}: {what} {wrong} with {count} {of}; {what}s start at 0")
