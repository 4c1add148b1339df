"""Provide the book's ``dezero.core_simple``, the framework of steps 23 to 32.

The ``grad`` of this module's `Variable` is an array, so the gradient cannot be differentiated; in
`dezero.core`, ``grad`` is a Variable. The programs of steps 28 and 29 need an array, because they
compute ``x.data -= lr * x.grad``.
"""

from __future__ import annotations

from typing import Any

from dezero_core import Config, Function, as_array, no_grad, using_config
from dezero_core import Variable as _Variable
from dezero_core.extend import Array, unwrap
from dezero_core.functions import add, div, mul, neg, pow, sub
from dezero_core.variable import Operand

from .core import setup_variable

__all__ = [
    "Config",
    "Function",
    "Variable",
    "add",
    "as_array",
    "as_variable",
    "div",
    "mul",
    "neg",
    "no_grad",
    "pow",
    "setup_variable",
    "sub",
    "using_config",
]


GRADIENT: Any = vars(_Variable)["grad"]
"""The property `dezero_core.Variable.grad`; `Variable` below converts its value to an array."""


class Variable(_Variable):
    """A Variable whose ``grad`` is an array of the shape of ``data``, or None (book step 7)."""

    __slots__ = ()

    @property
    def grad(self) -> Any:
        """Return the gradient, an array or None."""
        return unwrap(GRADIENT.__get__(self))

    @grad.setter
    def grad(self, value: Array | _Variable | None) -> None:
        if value is not None and not isinstance(value, _Variable):
            value = _Variable(value, requires_grad=False)
        GRADIENT.__set__(self, value)


def as_variable(obj: Operand) -> _Variable:
    """Return ``obj`` itself if it is a Variable, else a Variable that holds ``obj``."""
    return obj if isinstance(obj, _Variable) else Variable(as_array(obj))
