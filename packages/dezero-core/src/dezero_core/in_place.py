"""Write to the array of a Variable only if nothing else refers to it: copy on write.

A retained graph, a view such as ``reshape(p)``, a file being written and a program may all refer
to the array of a parameter while it is updated. They keep the old values, because the update then
writes to a copy. docs/adr/0018 has the reasons and the figures.
"""

from __future__ import annotations

import os
import sys
from threading import RLock
from typing import Any

from .backends.interface import Array
from .backends.registry import backend_of
from .variable import Variable

_lock = RLock()


def updating() -> Any:
    """Return the lock that an optimizer holds while it changes arrays in place.

    A thread that takes it finds all parameters between two updates. If the thread still refers to
    an array when it releases the lock, that array does not change, and can be read without it::

        with updating():
            arrays = [p.data for p in model.params()]
    """
    return _lock


def own_data(x: Variable) -> Array:
    """Return the array of ``x`` for writing; first replace it by a copy if it may be shared."""
    backend = backend_of(x.data)
    if references(x) > UNSHARED or backend.is_view(x.data):
        x.data = backend.copy(x.data)
    return x.data


def references(x: Variable) -> int:
    """Count Python's references to the array of ``x``, including those of this call."""
    return sys.getrefcount(x.data)


_sample = Variable(None)
_sample.data = object()
UNSHARED = references(_sample)
"""The count for an array that only its Variable refers to; it differs between Pythons."""


def _open_lock() -> None:
    """Replace the lock in a forked child: a thread of the parent may hold it."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_lock)
