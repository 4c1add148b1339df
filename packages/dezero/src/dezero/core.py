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
    from_dlpack,
    grad,
    hessian,
    hvp,
    jacobian,
    no_grad,
    precision,
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
    "from_dlpack",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "mul",
    "neg",
    "no_grad",
    "pow",
    "precision",
    "setup_variable",
    "sub",
    "test_mode",
    "using_config",
]


def setup_variable() -> None:
    """Do nothing: Variable has its operators from the start (book step 22)."""
