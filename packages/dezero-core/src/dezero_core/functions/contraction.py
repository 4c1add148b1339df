"""Multiply arrays and sum over some of their axes, by matrix products."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

from ..arguments import as_integer, as_integers, is_sequence, normalize_axes
from ..backends.interface import Array
from ..backends.precision import is_half, is_wide, sum_over, to_single
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
Preparation = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""The arguments of `prepare`: axes to sum over, the order of the others, and the new shape."""


class Einsum(Function):
    """y = the sum of products that the letters describe;  gx = einsum of gy and the other operands.

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
    if all([is_wide(x.dtype) for x in xs]):
        return function(*xs)
    backend = backend_of(xs[0])
    dtype = backend.xp.result_type(*xs)
    y = function(*[to_single(x, backend) for x in xs])
    return cast(y, dtype) if is_half(dtype, backend) else y


def contract(terms: list[Term], out: str) -> Array:
    """Multiply all operands in pairs, the cheapest pair first; the result has the axes ``out``."""
    while len(terms) > 1:
        i, j = cheapest_pair(terms) if len(terms) > 2 else (0, 1)
        second, first = terms.pop(j), terms.pop(i)
        terms.insert(0, product(first, second, out + "".join([labels for labels, _ in terms])))
    ((labels, x),) = terms
    kept = "".join([c for c in labels if c in out])
    axes = tuple([axis for axis, c in enumerate(labels) if c not in out])
    return prepare(x, axes, tuple([kept.index(c) for c in out]), None)


def cheapest_pair(terms: list[Term]) -> tuple[int, int]:
    """Return the positions of the operands whose product takes the fewest multiplications."""
    lengths = {c: n for labels, x in terms for c, n in zip(labels, x.shape, strict=True)}

    def cost(pair: tuple[int, int]) -> int:
        return math.prod([lengths[c] for c in set(terms[pair[0]][0] + terms[pair[1]][0])])

    return min(combinations(range(len(terms)), 2), key=cost)


def product(first: Term, second: Term, out: str) -> Term:
    """Multiply two operands, and sum over the letters that are not in ``out``."""
    (a, x), (b, y) = first, second
    plan = plan_product(a, b, tuple(x.shape), tuple(y.shape), out)
    if plan.swapped:
        x, y = y, x
    x, y = prepare(x, *plan.first), prepare(y, *plan.second)
    return plan.letters, prepare(plan.multiply(x, y), (), None, plan.shape)


class Plan(NamedTuple):
    """Describe how `product` multiplies operands with given letters and shapes.

    Attributes:
        swapped: whether to swap the operands, so that the first has the first letter of the result.
        first, second: the arguments of `prepare` for each operand.
        multiply: the function that multiplies the prepared operands.
        letters, shape: one letter for each axis of the result, and the lengths of these axes.
    """

    swapped: bool
    first: Preparation
    second: Preparation
    multiply: Callable[[Array, Array], Array]
    letters: str
    shape: tuple[int, ...]


@lru_cache(1024)  # cached, because every training step has the same shapes
def plan_product(
    a: str, b: str, a_shape: tuple[int, ...], b_shape: tuple[int, ...], out: str
) -> Plan:
    """Return how to multiply operands with letters ``a`` and ``b``.

    The letters of both operands that are in ``out`` are leading axes of a stack of matrices. The
    letters of both operands that are not in ``out`` are summed. The other letters of each operand
    are the rows or columns.
    """
    only_one = [c for c in out if (c in a) != (c in b)]
    if only_one and only_one[0] in b:
        return plan_product(b, a, b_shape, a_shape, out)._replace(swapped=True)
    lengths = dict(zip(a + b, a_shape + b_shape, strict=True))
    stack, inner, left, right = (
        [c for c in letters if (c in other) == is_shared and (c in out) == is_kept]
        for letters, other, is_shared, is_kept in (
            (a, b, True, True),
            (a, b, True, False),
            (a, b, False, True),
            (b, a, False, True),
        )
    )

    def plan_operand(letters: str, *groups: list[str]) -> Preparation:
        kept = [c for c in letters if c in stack + inner + left + right]
        order = [kept.index(c) for c in sum(groups, stack)]
        shape = [lengths[c] for c in stack]
        shape += [math.prod([lengths[c] for c in group]) for group in groups]
        axes = tuple([axis for axis, c in enumerate(letters) if c not in kept])
        return axes, tuple(order), tuple(shape)

    is_dot = bool(inner) and not left and not right
    return Plan(
        False,
        plan_operand(a, inner) if is_dot else plan_operand(a, left, inner),
        plan_operand(b, inner) if is_dot else plan_operand(b, inner, right),
        dot if is_dot else matmul_op if inner else operator.mul,
        "".join(stack + left + right),
        tuple([lengths[c] for c in stack + left + right]),
    )


def prepare(
    x: Array, axes: tuple[int, ...], order: tuple[int, ...] | None, shape: tuple[int, ...] | None
) -> Array:
    """Sum ``x`` over ``axes``, permute the remaining axes to ``order``, and change the shape."""
    if axes:
        x = sum_over(x, backend_of(x), axes)
    if order is not None and order != tuple(range(len(order))):
        x = get_array_module(x).permute_dims(x, order)
    if shape is None or tuple(x.shape) == shape:
        return x
    return get_array_module(x).reshape(x, shape)


def dot(x: Array, y: Array, axis: int = -1) -> Array:
    """Return the sum of x y over ``axis``."""
    backend = backend_of(x)
    if hasattr(backend.xp, "vecdot"):  # older versions of CuPy lack vecdot
        return backend.xp.vecdot(x, y, axis=axis)
    return sum_over(x * y, backend, axis)


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
