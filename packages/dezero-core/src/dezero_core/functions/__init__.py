"""Export the ops of dezero-core: each is a `Function` class and a function that applies it."""

from .arithmetic import abs, add, div, mul, neg, pos, pow, sub
from .broadcast import broadcast_to, sum_to
from .casting import astype
from .contraction import outer, tensordot, vecdot
from .cumulative import cumulative_prod, cumulative_sum, prod
from .decompositions import cholesky, eigh, qr, svd
from .einsum import einsum
from .error_function import erf
from .exponential import exp, log, sqrt
from .gathering import add_at, take, take_along_axis
from .hyperbolic import acosh, asinh, atanh, cosh, sinh
from .indexing import get_item
from .inverse_trigonometric import acos, asin, atan, atan2
from .joining import chunk, concat, split, stack, unstack
from .linalg import matmul
from .logarithms import exp2, expm1, log1p, log2, log10, logaddexp
from .moments import std, var
from .norms import vector_norm
from .powers import reciprocal, rsqrt, square
from .rearranging import diagonal, flip, pad, repeat, roll, tile, tril, triu
from .reduction import argmax, argmin, average, logsumexp, max, mean, min, sum
from .rounding import ceil, floor, floor_divide, remainder, round, sign, trunc
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
from .solving import det, inv, slogdet, solve
from .sorting import argsort, sort, topk
from .trigonometric import cos, sin, tan, tanh

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "add_at",
    "argmax",
    "argmin",
    "argsort",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "average",
    "broadcast_to",
    "ceil",
    "cholesky",
    "chunk",
    "clip",
    "concat",
    "cos",
    "cosh",
    "cumulative_prod",
    "cumulative_sum",
    "det",
    "diagonal",
    "div",
    "eigh",
    "einsum",
    "erf",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "flatten",
    "flip",
    "floor",
    "floor_divide",
    "get_item",
    "inv",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
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
    "outer",
    "pad",
    "permute_dims",
    "pos",
    "pow",
    "prod",
    "qr",
    "reciprocal",
    "remainder",
    "repeat",
    "reshape",
    "roll",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "slogdet",
    "solve",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "sum_to",
    "svd",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "topk",
    "transpose",
    "tril",
    "triu",
    "trunc",
    "unstack",
    "var",
    "vecdot",
    "vector_norm",
    "where",
]
