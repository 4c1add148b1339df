"""The ops of core: each a class and a function side by side, related ones in one file."""

from .arithmetic import add, div, mul, neg, pos, pow, sub
from .broadcast import broadcast_to, sum_to
from .casting import astype
from .exponential import exp, log
from .linalg import matmul
from .reduction import sum
from .selection import maximum, where
from .shape import matrix_transpose, reshape, transpose
from .trigonometric import cos, sin, tanh

__all__ = [
    "add",
    "astype",
    "broadcast_to",
    "cos",
    "div",
    "exp",
    "log",
    "matmul",
    "matrix_transpose",
    "maximum",
    "mul",
    "neg",
    "pos",
    "pow",
    "reshape",
    "sin",
    "sub",
    "sum",
    "sum_to",
    "tanh",
    "transpose",
    "where",
]
