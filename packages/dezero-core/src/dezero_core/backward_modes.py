"""What a backward runs on: arrays or Variables, and gradients of its own.

Backwards of our packages run on arrays in a plain pass, and write into nothing. Those of others
are wrapped when their class is made, see `Function.on_variables`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextvars import ContextVar
from copy import copy
from functools import wraps
from opcode import opmap
from types import FunctionType
from typing import Any, TypeVar

from .backends.registry import backend_of
from .errors import FunctionWarning
from .variable import Variable, array_of

F = TypeVar("F", bound=Callable[..., Any])

gradients_are_arrays: ContextVar[bool] = ContextVar("gradients_are_arrays", default=False)
"""True inside a plain backward: gradients are arrays there, and so is all that ops see.

Set by the engine, once per backward. It decides what ``self.inputs`` and ``self.outputs``
yield, and lets a library function that is given arrays only return an array.
"""


def is_ours(cls: type) -> bool:
    """Return whether a class of ops belongs to the packages whose backwards are known."""
    return cls.__module__.partition(".")[0] in OUR_PACKAGES


def looks_for_variables(backward: FunctionType) -> bool:
    """Return whether a backward reads ``.data`` or changes something in place.

    ``x *= 2`` makes a new Variable, but changes an array that others hold.
    """
    code = backward.__code__
    pairs = zip(code.co_code[::2], code.co_code[1::2], strict=True)
    return "data" in code.co_names or any(
        operation == STORE_ITEM or (operation == OPERATOR and argument >= FIRST_IN_PLACE)
        for operation, argument in pairs
    )


OUR_PACKAGES = ("dezero_core", "dezero_nn")
STORE_ITEM, OPERATOR = opmap["STORE_SUBSCR"], opmap["BINARY_OP"]
FIRST_IN_PLACE = 13
"""Argument of Python's BINARY_OP for ``+=``, the first of the operators that work in place."""


def note_assumption(cls: type) -> None:
    """Warn, once per process, that a backward is assumed to need Variables."""
    global _noted
    if not _noted:
        _noted = True
        warnings.warn(
            f"{cls.__name__}.backward reads .data or changes something in place: it is run on "
            "Variables, which is slower; write on_variables = True in the class to say so, or "
            "False if it works on arrays (said once, for the first such class)",
            FunctionWarning,
            stacklevel=3,
        )


_noted = False


def on_own_gradients(backward: F) -> F:
    """Give a backward copies of its gradients: it may write into them, and others share them."""

    @wraps(backward)
    def wrapped(self: Any, *gys: Any) -> Any:
        return backward(self, *[own_gradient(gy) for gy in gys])

    return wrapped  # type: ignore[return-value]


def own_gradient(gy: Any) -> Any:
    """Return a gradient at the same position in the graph, with an array of its own."""
    if not isinstance(gy, Variable):
        return gy if gy is None else backend_of(gy).copy(gy)
    if gy._creator is None and gy._requires_grad:
        return +gy  # a leaf cannot be replaced by another
    own = copy(gy)
    own.data = backend_of(gy.data).copy(gy.data)
    return own


def on_variables(backward: F) -> F:
    """Run a backward on Variables also in a plain backward; see `Function.on_variables`."""

    @wraps(backward)
    def wrapped(self: Any, *gys: Any) -> Any:
        if not gradients_are_arrays.get():
            return backward(self, *gys)
        token = gradients_are_arrays.set(False)
        try:
            gxs = backward(self, *[Variable(gy, requires_grad=False) for gy in gys])
        finally:
            gradients_are_arrays.reset(token)
        if isinstance(gxs, tuple):
            return tuple([array_of(gx) for gx in gxs])
        return array_of(gxs)

    return wrapped  # type: ignore[return-value]
