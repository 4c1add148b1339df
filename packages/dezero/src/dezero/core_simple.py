"""The book's ``dezero.core_simple``, the framework of steps 23 to 32: gradients are arrays.

The programs of steps 28 and 29 import it and write ``x.data -= lr * x.grad``. It is `dezero.core`
with one difference: gradients of the Variables that a program creates are arrays, so they cannot
be differentiated.
"""

from __future__ import annotations

from typing import Any

from dezero_core import Config, Function, as_array, no_grad, using_config
from dezero_core import Variable as _Variable
from dezero_core.extend import unwrap
from dezero_core.functions import add, div, mul, neg, pow, sub

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
"""The attribute that `Variable` below reads as an array."""


class Variable(_Variable):
    """A Variable whose ``grad`` is an array of the shape of ``data``, or None (book step 7)."""

    __slots__ = ()

    @property
    def grad(self) -> Any:
        """The gradient, an array or None."""
        return unwrap(GRADIENT.__get__(self))

    @grad.setter
    def grad(self, value: Any) -> None:
        is_array = value is not None and not isinstance(value, _Variable)
        GRADIENT.__set__(self, _Variable(value, requires_grad=False) if is_array else value)


def as_variable(obj: Any) -> _Variable:
    """Return ``obj`` itself if it is a Variable, else a Variable of the array or number."""
    return obj if isinstance(obj, _Variable) else Variable(as_array(obj))
