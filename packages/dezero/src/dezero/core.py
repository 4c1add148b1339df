"""The book's ``dezero.core``."""

from dezero_core import (
    Buffer,
    Config,
    Function,
    Parameter,
    Variable,
    as_array,
    as_variable,
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
    "div",
    "mul",
    "neg",
    "no_grad",
    "pow",
    "sub",
    "test_mode",
    "using_config",
]
