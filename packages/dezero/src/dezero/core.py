"""Re-export Variables, Functions and settings under the book's name ``dezero.core``."""

from dezero_core import (
    Buffer,
    Config,
    Function,
    Parameter,
    Variable,
    as_array,
    as_variable,
    detect_anomaly,
    from_dlpack,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    precision,
    test_mode,
    using_config,
)
from dezero_core.functions import add, div, mul, neg, pow, sub
from dezero_core.functions.arithmetic import Add, Div, Mul, Neg, Pow, Sub
from dezero_core.variable import Operand

__all__ = [
    "Add",
    "Buffer",
    "Config",
    "Div",
    "Function",
    "Mul",
    "Neg",
    "Parameter",
    "Pow",
    "Sub",
    "Variable",
    "add",
    "as_array",
    "as_variable",
    "detect_anomaly",
    "div",
    "from_dlpack",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "mul",
    "neg",
    "no_grad",
    "pow",
    "precision",
    "rdiv",
    "rsub",
    "setup_variable",
    "sub",
    "test_mode",
    "using_config",
]


def setup_variable() -> None:
    """Do nothing, because `Variable` already has its operators (book step 22)."""


def rsub(x0: Operand, x1: Operand) -> Variable:
    """Return ``x1 - x0``; shapes broadcast (book step 22)."""
    return sub(x1, x0)


def rdiv(x0: Operand, x1: Operand) -> Variable:
    """Return ``x1 / x0``; shapes broadcast (book step 22)."""
    return div(x1, x0)
