"""Update the array of a Variable in place, or update a copy if something else refers to it.

A retained graph, a view such as ``reshape(p)``, a save in another thread or the program itself may
refer to the array of a parameter while an optimizer updates the parameter. If anything but its
Variable refers to the array, the update writes to a copy, so that the graph, the view, the save or
the program still sees the old values. docs/adr/0018 gives the reasons and the timings.
"""

from __future__ import annotations

import os
import sys
from threading import RLock
from typing import Any

from .backends.interface import Array
from .backends.registry import backend_of
from .step_recorder import recorder
from .variable import Variable

_lock = RLock()


def updating() -> Any:
    """Return the lock for changes in place: of arrays by optimizers, of ``grad`` by ``backward``.

    A thread that holds the lock never sees a half-finished update. If the thread still refers to an
    array when it releases the lock, the array does not change afterwards, so it can be read without
    the lock::

        with updating():
            arrays = [p.data for p in model.params()]
    """
    return _lock


def own_data(x: Variable) -> Array:
    """Return the array of ``x`` for writing; if it may be shared, first replace it by a copy.

    While a step is recorded, the array is never replaced, because the replay writes to this array.
    """
    backend = backend_of(x.data)
    if recorder.get() is None and (references(x) > UNSHARED or backend.is_view(x.data)):
        x.data = backend.copy(x.data)
    return x.data


def set_data(x: Variable, array: Array) -> None:
    """Replace the array of ``x``; while a step is recorded, copy ``array`` into it instead."""
    if recorder.get() is not None and x.data is not None and x.data is not array:
        x.data[...] = array
    else:
        x.data = array


def set_grad(x: Variable, gradient: Variable | None) -> None:
    """Replace the gradient of ``x`` without checks, and without recording it as assigned."""
    x._grad = gradient


def references(x: Variable) -> int:
    """Count Python's references to the array of ``x``, including temporary ones of this call."""
    return sys.getrefcount(x.data)


_sample = Variable(None)
_sample.data = object()
UNSHARED = references(_sample)
"""The reference count of an array that only its Variable refers to, in this Python version."""


def _open_lock() -> None:
    """Replace the lock in a forked child, because a thread of the parent may have held the lock."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_lock)
