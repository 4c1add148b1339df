"""Accumulate the gradients of slices of a Variable in one array.

A loop over ``x[t]`` gives ``x`` one gradient for each step. If each gradient were a separate array
of the size of ``x``, the cost of T steps would grow with T**2. A backward pass without
``create_graph`` therefore adds the gradients to one array in place. The gradients are
added in the order in which separate arrays would be added, so the sum is bitwise the same.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from weakref import ref

from ..backends.interface import Array
from ..backends.registry import backend_of
from ..backward_modes import plain_pass
from ..variable import Variable


class PartSums:
    """Accumulate gradients of slices in place, during one backward pass.

    Args:
        grads: the gradients that the backward pass has computed so far; see
            `dezero_core.backward_pass.BackwardPass`.
    """

    def __init__(self, grads: dict[Any, Any]) -> None:
        self.grads = grads
        self.owned: dict[Any, ref[Any]] = {}  # gradients that only this pass refers to

    def add(self, x: Variable, shape: tuple[int, ...], index: object, gy: Any) -> bool:
        """Try to add ``gy`` at ``index`` to the gradient of ``x``; return whether it was added.

        Nothing is added if ``x`` has no gradient yet, if that gradient does not have the dtype of
        ``gy`` and the shape ``shape``, or if the library cannot write in place.
        """
        grads, key = self.position(x)
        total: Any = None if grads is None else grads[key]
        if total is None or total.dtype != gy.dtype or tuple(total.shape) != shape:
            return False
        backend = backend_of(total)
        if "in_place" not in backend.capabilities:
            return False
        owned = self.owned.get(position_of(x))
        if owned is None or owned() is not total:
            total = backend.asarray(total + 0)  # -0.0 becomes 0.0, as in the sum of full arrays
        grads[key] = backend.scatter_add(total, index, gy)
        self.own(x, grads[key])
        return True

    def position(self, x: Variable) -> tuple[Any, Any]:
        """Return the container of the gradient of ``x``, or None, and the key of the gradient."""
        key = position_of(x)
        if isinstance(key, tuple):
            serial, key = key
            return self.grads.get(serial), key
        return (self.grads if key in self.grads else None), key

    def own(self, x: Variable, total: Array) -> None:
        """Record that only this backward pass refers to ``total``, the gradient of ``x`` so far."""
        with suppress(TypeError):  # some libraries' arrays cannot be weakly referenced
            self.owned[position_of(x)] = ref(total)


def position_of(x: Variable) -> Any:
    """Return the key of the gradient of ``x`` in `PartSums.grads`, or (key, output index)."""
    creator = x._creator
    if creator is None:
        return x
    return creator._serial if x._index is None else (creator._serial, x._index)


def part_sums() -> PartSums | None:
    """Return the `PartSums` of the current backward pass; None if the pass may not add in place."""
    backward_pass = plain_pass.get()
    if backward_pass is None or backward_pass.is_detecting:
        return None
    if backward_pass.part_sums is None:
        backward_pass.part_sums = PartSums(backward_pass.grads)
    return backward_pass.part_sums
