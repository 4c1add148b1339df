"""For those who write ops and backends: the gradient checker and the rows of the op table."""

from .check import LEVELS, Check
from .gradients import (
    GradientError,
    array_allclose,
    array_equal,
    check_gradients,
    gradient_check,
    numerical_grad,
)
from .op_case import OpCase
from .table import check_sensitivity, rows

__all__ = [
    "LEVELS",
    "Check",
    "GradientError",
    "OpCase",
    "array_allclose",
    "array_equal",
    "check_gradients",
    "check_sensitivity",
    "gradient_check",
    "numerical_grad",
    "rows",
]
