"""Export the ops of dezero-core: each is a `Function` class and a function that applies it."""

from .arithmetic import abs, add, div, mul, neg, pos, pow, sub
from .broadcast import broadcast_to, sum_to
from .casting import astype
from .exponential import exp, log, sqrt
from .gathering import take, take_along_axis
from .indexing import get_item
from .joining import chunk, concat, split, stack, unstack
from .linalg import matmul
from .rearranging import flip, pad, repeat, tril, triu
from .reduction import argmax, average, logsumexp, max, mean, min, sum
from .selection import clip, masked_fill, maximum, minimum, where
from .shape import (
    expand_dims,
    flatten,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    transpose,
)
from .trigonometric import cos, sin, tan, tanh

__all__ = [
    "abs",
    "add",
    "argmax",
    "astype",
    "average",
    "broadcast_to",
    "chunk",
    "clip",
    "concat",
    "cos",
    "div",
    "exp",
    "expand_dims",
    "flatten",
    "flip",
    "get_item",
    "log",
    "logsumexp",
    "masked_fill",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "mul",
    "neg",
    "pad",
    "permute_dims",
    "pos",
    "pow",
    "repeat",
    "reshape",
    "sin",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "sum_to",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "transpose",
    "tril",
    "triu",
    "unstack",
    "where",
]
