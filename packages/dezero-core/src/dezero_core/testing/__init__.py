"""For those who write ops and backends: the gradient checker and the rows of the op table."""

from .gradients import GradientError, check_gradients
from .op_case import OpCase
from .table import check_sensitivity, rows

__all__ = ["GradientError", "OpCase", "check_gradients", "check_sensitivity", "rows"]
