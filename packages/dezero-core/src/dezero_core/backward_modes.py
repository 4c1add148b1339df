"""Choose whether ``backward`` methods run on arrays or on Variables.

A backward pass without ``create_graph`` is a plain pass. In a plain pass, the ``backward`` methods
of DeZero's own packages run on arrays, and never write to these arrays. `run_foreign` runs the
``backward`` methods of classes from outside DeZero, on copies of the gradients. These copies are
Variables if the method needs Variables.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from copy import copy
from functools import lru_cache
from opcode import opmap
from types import CodeType, MappingProxyType
from typing import Any

from .backends.registry import backend_of
from .config import Entry, enable_backprop
from .errors import FunctionWarning
from .variable import AnyArray, Variable, unwrap

plain_pass: ContextVar[Any] = ContextVar("plain_pass", default=None)
"""The plain pass that runs in this context, a `backward_pass.BackwardPass`, or None.

In a pass without ``create_graph``, gradients, ``self.inputs`` and ``self.outputs`` are arrays, and
a DeZero function returns an array if all its arguments are arrays.
"""

Call = Any
"""The type `dezero_core.function.Function`; importing it here would be a circular import."""

Flags = Mapping[Any, tuple[bool, ...]]
"""A dictionary from a call's serial number to a tuple with one flag for each input."""

ALL: Flags = MappingProxyType({})
"""No flags, so every call computes the gradients that `Function.needs_grad` selects."""

narrowed_needs: ContextVar[Flags] = ContextVar("narrowed_needs", default=ALL)
"""Flags that replace `Function.needs_grad` in the current pass; see `derivatives.grad`."""


class PassMode:
    """Context manager for one backward pass: on arrays, or on Variables with ``create_graph``."""

    def __init__(self, backward_pass: Any, create_graph: bool) -> None:
        self.backward_pass, self.create_graph = backward_pass, create_graph

    def __enter__(self) -> None:
        self.mode = plain_pass.set(None if self.create_graph else self.backward_pass)
        self.needs = narrowed_needs.set(self.backward_pass.narrowed)
        self.recording = enable_backprop.entries.set((Entry(self.create_graph),))

    def __exit__(self, *error: object) -> None:
        enable_backprop.entries.reset(self.recording)
        narrowed_needs.reset(self.needs)
        plain_pass.reset(self.mode)


OUR_PACKAGES = ("dezero_core", "dezero_nn")


def run_foreign(call: Call, gys: list[Any]) -> Any:
    """Run the backward of a class outside DeZero's packages, on Variables if needed. The backward
    gets copies of the gradients, because it may write to gradients that other calls use.
    """
    gys = [copy_gradient(gy) for gy in gys]
    if plain_pass.get() is None or not needs_variables(call):
        return call.backward(*gys)
    token = plain_pass.set(None)
    try:
        gxs = call.backward(
            *[gy if gy is None else Variable(gy, requires_grad=False) for gy in gys]
        )
    finally:
        plain_pass.reset(token)
    return tuple([unwrap(gx) for gx in gxs]) if isinstance(gxs, tuple) else unwrap(gxs)


def copy_gradient(gy: AnyArray | None) -> Any:
    """Return a copy of a gradient with the same graph, so that it can be differentiated."""
    if not isinstance(gy, Variable):
        return gy if gy is None else backend_of(gy).copy(gy)
    if gy._creator is None and gy._requires_grad:
        return +gy  # a copy that is not recorded would be a new leaf
    copied = copy(gy)
    copied.data = backend_of(gy.data).copy(gy.data)
    return copied


def needs_variables(call: Call) -> bool:
    """Return whether ``call.backward`` needs Variables in a plain pass; see ``on_variables``.

    Warn, once per process, about a class that does not set ``on_variables``.
    """
    if call.on_variables is not None:
        return bool(call.on_variables)
    backward = call.backward
    code = getattr(getattr(backward, "__func__", backward), "__code__", None)
    if code is None or not looks_for_variables(code):
        return False
    global _noted
    if not _noted:
        _noted = True
        warnings.warn_explicit(
            f"{type(call).__name__}.backward reads .data or changes something in place: it is run "
            "on Variables, which is slower; write on_variables = True in the class to say so, or "
            "False if it works on arrays (shown once, for the first such class)",
            FunctionWarning,
            code.co_filename,
            code.co_firstlineno,
        )
    return True


@lru_cache(1024)
def looks_for_variables(code: CodeType) -> bool:
    """Return whether the code of a backward reads ``.data`` or contains an in-place operation.

    If ``x`` is a Variable, ``x *= 2`` binds ``x`` to a new Variable. If ``x`` is an array,
    ``x *= 2`` overwrites the array, which may be used elsewhere.
    """
    nested = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    pairs = zip(code.co_code[::2], code.co_code[1::2], strict=True)
    return (
        "data" in code.co_names
        or any(
            operation == STORE_ITEM or (operation == OPERATOR and argument >= FIRST_IN_PLACE)
            for operation, argument in pairs
        )
        or any(looks_for_variables(inner) for inner in nested)
    )


STORE_ITEM, OPERATOR = opmap["STORE_SUBSCR"], opmap["BINARY_OP"]
FIRST_IN_PLACE = 13
"""Argument of Python's BINARY_OP instruction for ``+=``, the first in-place operator."""


_noted = False
"""True after this process has shown the warning of `needs_variables`."""
