"""Export the ops of dezero-core: each is a `Function` class and a function that applies it."""

from .arithmetic import abs, add, div, mul, neg, pos, pow, sub
from .broadcast import broadcast_to, sum_to
from .casting import astype
from .exponential import exp, log, sqrt
from .indexing import get_item
from .joining import concat, stack, unstack
from .linalg import matmul
from .reduction import argmax, average, logsumexp, max, mean, min, sum
from .selection import clip, maximum, minimum, where
from .shape import expand_dims, flatten, matrix_transpose, reshape, squeeze, transpose
from .trigonometric import cos, sin, tan, tanh

__all__ = [
    "abs",
    "add",
    "argmax",
    "astype",
    "average",
    "broadcast_to",
    "clip",
    "concat",
    "cos",
    "div",
    "exp",
    "expand_dims",
    "flatten",
    "get_item",
    "log",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mul",
    "neg",
    "pos",
    "pow",
    "reshape",
    "sin",
    "sqrt",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "sum_to",
    "tan",
    "tanh",
    "transpose",
    "unstack",
    "where",
]
