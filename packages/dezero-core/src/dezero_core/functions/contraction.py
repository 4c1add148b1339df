"""Multiply arrays and sum over some of their axes, by matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from ..arguments import as_integer, as_integers, is_sequence, normalize_axes
from ..backends.interface import Array
from ..backends.precision import is_half, sum_over, to_single
from ..backends.registry import backend_of
from ..diagnosis import shape_of
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..hints import hinted
from ..variable import Operand, Variable, cast, get_array_module
from .arithmetic import mul
from .broadcast import broadcast_to
from .linalg import matmul_op
from .shape import expand_dims, require_array, reshape

Term = tuple[str, Array]
"""An operand: one letter for each axis, and the array."""


class Einsum(Function):
    """y = the sum of products that letters name;  gx = einsum of gy and the other operands.

    All axes with the same letter have the same length, and no operand has a letter twice.
    """

    def __init__(self, labels: Sequence[str], out: str) -> None:
        self.labels, self.out = labels, out

    def forward(self, *xs: Array) -> Array:
        return in_single(
            lambda *ys: contract(list(zip(self.labels, ys, strict=True)), self.out), xs
        )

    def backward(self, gy: Array | Variable) -> Any:
        return tuple(
            [self.gradient(i, gy) if need else None for i, need in enumerate(self.needs_grad)]
        )

    def gradient(self, i: int, gy: Array | Variable) -> Any:
        """Return the gradient of operand ``i``; letters of this operand alone are broadcast."""
        x, labels = self.inputs[i], self.labels[i]
        terms = self.out, *self.labels[:i], *self.labels[i + 1 :]
        known = "".join([c for c in labels if any([c in term for term in terms])])
        gx = Einsum(terms, known)(gy, *self.inputs[:i], *self.inputs[i + 1 :])
        if known == labels:
            return gx
        kept = [n if c in known else 1 for c, n in zip(labels, x.shape, strict=True)]
        return broadcast_to(reshape(gx, kept), x.shape)


def in_single(function: Callable[..., Array], xs: Sequence[Array]) -> Array:
    """Return ``function(*xs)``; compute half precision in float32, and round the result."""
    backend = backend_of(xs[0])
    dtype = backend.xp.result_type(*xs)
    y = function(*[to_single(x, backend) for x in xs])
    return cast(y, dtype) if is_half(dtype, backend) else y


def contract(terms: list[Term], out: str) -> Array:
    """Multiply all operands in pairs, the cheapest pair first; the result has the axes ``out``."""
    lengths = {c: n for labels, x in terms for c, n in zip(labels, x.shape, strict=True)}
    while len(terms) > 1:
        pairs = combinations(range(len(terms)), 2)
        i, j = min(pairs, key=lambda pair: cost(terms[pair[0]][0] + terms[pair[1]][0], lengths))
        second, first = terms.pop(j), terms.pop(i)
        kept = "".join([out, *[labels for labels, _ in terms]])
        terms.insert(0, product(first, second, kept))
    ((labels, x),) = terms
    return arrange(summed(labels, x, out), out)


def cost(labels: str, lengths: dict[str, int]) -> int:
    """Return the number of multiplications to contract two operands with these letters."""
    return math.prod([lengths[c] for c in set(labels)])


def product(first: Term, second: Term, out: str) -> Term:
    """Multiply two operands, and sum over the letters that are not in ``out``, by `matmul_op`."""
    if next((c in second[0] for c in out if (c in first[0]) != (c in second[0])), False):
        first, second = second, first  # the letter that comes first in `out` is of the first
    a, x = summed(*first, out + second[0])
    b, y = summed(*second, out + first[0])
    lengths = dict(zip(a + b, (*x.shape, *y.shape), strict=True))
    batch = "".join([c for c in a if c in b and c in out])
    inner = "".join([c for c in a if c in b and c not in out])
    left, right = ("".join([c for c in labels if c not in batch + inner]) for labels in (a, b))

    def joined(term: Term, *groups: str) -> Array:
        """Return the array with one axis for each letter of ``batch``, and one for each group."""
        shape = [*[lengths[c] for c in batch], *[cost(group, lengths) for group in groups]]
        return reshaped(arrange(term, batch + "".join(groups)), tuple(shape))

    if not inner:
        z = joined((a, x), left, "") * joined((b, y), "", right)
    elif not left and not right:
        z = dot(joined((a, x), inner), joined((b, y), inner), -1)
    else:
        z = matmul_op(joined((a, x), left, inner), joined((b, y), inner, right))
    letters = batch + left + right
    return letters, reshaped(z, tuple([lengths[c] for c in letters]))


def dot(x: Array, y: Array, axis: int) -> Array:
    """Return the sum of x y over ``axis``."""
    backend = backend_of(x)
    if hasattr(backend.xp, "vecdot"):  # older versions of CuPy lack it
        return backend.xp.vecdot(x, y, axis=axis)
    return sum_over(x * y, backend, axis)


def summed(labels: str, x: Array, kept: str) -> Term:
    """Sum an operand over the letters that are not in ``kept``."""
    axes = tuple([axis for axis, c in enumerate(labels) if c not in kept])
    if not axes:
        return labels, x
    return "".join([c for c in labels if c in kept]), sum_over(x, backend_of(x), axes)


def arrange(term: Term, labels: str) -> Array:
    """Permute the axes of an operand to the order ``labels``."""
    letters, x = term
    if letters == labels:
        return x
    return get_array_module(x).permute_dims(x, tuple([letters.index(c) for c in labels]))


def reshaped(x: Array, shape: tuple[int, ...]) -> Array:
    """Return ``x`` in this shape, and ``x`` itself if it has this shape."""
    return x if tuple(x.shape) == shape else get_array_module(x).reshape(x, shape)


@hinted
def tensordot(
    x1: Operand, x2: Operand, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Variable:
    """Return the sum of products of ``x1`` and ``x2`` over pairs of axes.

    Args:
        x1, x2: any shapes.
        axes: an integer n for the last n axes of ``x1`` and the first n axes of ``x2`` (default 2),
            or a pair of sequences: the axes of ``x1``, and the axis of ``x2`` for each of them.

    Returns:
        the remaining axes of ``x1``, then the remaining axes of ``x2``.

    Raises:
        ShapeError: an axis is out of range or repeated, or the lengths of paired axes differ.
        ArgumentError: ``axes`` is a sequence that is not a pair, or a negative number.
        ArgumentTypeError: an axis is not an integer.
    """
    a, b = require_array("tensordot", x1), require_array("tensordot", x2)
    if not is_sequence(axes):
        count = as_integer("tensordot", "axes", axes, minimum=0)
        axes = range(-count, 0), range(count)
    pair = [as_integers("tensordot", "axes", part) for part in axes]
    if len(pair) != 2:
        raise ArgumentError(f"tensordot: axes {axes}: expected an integer or a pair of sequences")
    first, second = (
        normalize_axes("tensordot", p, z.ndim) for p, z in zip(pair, (a, b), strict=True)
    )
    if [a.shape[i] for i in first] != [b.shape[j] for j in second]:
        raise ShapeError(
            f"tensordot: shapes {tuple(a.shape)} and {tuple(b.shape)}, axes {pair}: expected equal "
            "numbers of axes, and equal lengths of the paired axes"
        )
    letters = [chr(i) for i in range(a.ndim + b.ndim)]
    left, right = letters[: a.ndim], letters[a.ndim :]
    for i, j in zip(first, second, strict=True):
        right[j] = left[i]
    out = [c for c in left + right if c not in left or c not in right]
    return Einsum(("".join(left), "".join(right)), "".join(out))(a, b)


class VecDot(Function):
    """y = the sum of x1 x2 over an axis;  dL/dx1 = gy x2,  dL/dx2 = gy x1."""

    broadcasts = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x1: Array, x2: Array) -> Array:
        return in_single(lambda a, b: dot(a, b, self.axis), (x1, x2))

    def backward(self, gy: Array | Variable) -> Any:
        (x1, x2), (need1, need2) = self.inputs, self.needs_grad
        gy = expand_dims(gy, self.axis)
        return gy * x2 if need1 else None, gy * x1 if need2 else None


@hinted
def vecdot(x1: Operand, x2: Operand, axis: int = -1) -> Variable:
    """Return the sum of ``x1 * x2`` over ``axis``: the dot products of two stacks of vectors.

    Args:
        x1, x2: arrays with at least one axis; axes other than ``axis`` broadcast.
        axis: the axis to sum over (default -1), which has the same length in both arrays. A
            negative value counts from the end of each array.

    Raises:
        ShapeError: the lengths of ``axis`` differ, the other axes do not broadcast, or ``axis`` is
            out of range.
        ArgumentTypeError: ``axis`` is not an integer.
    """
    a, b = require_array("vecdot", x1), require_array("vecdot", x2)
    axis = as_integer("vecdot", "axis", axis)
    from_end = axis if axis < 0 else axis - max(a.ndim, b.ndim)
    if not -min(a.ndim, b.ndim) <= from_end < 0 or a.shape[from_end] != b.shape[from_end]:
        raise ShapeError(
            f"vecdot: shapes {tuple(a.shape)} and {tuple(b.shape)}, axis {axis}: both arrays need "
            "this axis, with the same length"
        )
    return VecDot(from_end)(a, b)


def outer(x1: Operand, x2: Operand) -> Variable:
    """Return the products of each element of ``x1`` with each element of ``x2``.

    Args:
        x1, x2: shapes (n,) and (m,).

    Returns:
        shape (n, m).

    Raises:
        ShapeError: an array does not have exactly one axis.
    """
    shapes = shape_of(x1), shape_of(x2)
    if [len(shape) for shape in shapes] != [1, 1]:
        raise ShapeError(
            f"outer: shapes {shapes[0]} and {shapes[1]}: expected one axis each; reshape(x, -1) "
            "flattens an array"
        )
    return mul(reshape(x1, (-1, 1)), x2)
