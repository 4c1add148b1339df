"""The book's ``dezero.core``."""

from dezero_core import (
    Buffer,
    Config,
    Function,
    Parameter,
    Variable,
    as_array,
    as_variable,
    detect_anomaly,
    grad,
    hessian,
    hvp,
    jacobian,
    no_grad,
    test_mode,
    using_config,
)
from dezero_core.functions import add, div, mul, neg, pow, sub

__all__ = [
    "Buffer",
    "Config",
    "Function",
    "Parameter",
    "Variable",
    "add",
    "as_array",
    "as_variable",
    "detect_anomaly",
    "div",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "mul",
    "neg",
    "no_grad",
    "pow",
    "sub",
    "test_mode",
    "using_config",
]
