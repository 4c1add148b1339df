"""Read the subscripts of einsum, and compute the sum of products that they describe."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from ..variable import Operand, Variable
from .contraction import Einsum
from .rearranging import diagonal
from .shape import require_array, reshape

Shapes = tuple[tuple[int, ...], ...]
TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")
"""The letters of one operand or of the result."""


def einsum(subscripts: str, *xs: Operand) -> Variable:
    """Return the sum of products of arrays that ``subscripts`` describes, like ``numpy.einsum``.

    A letter names an axis. Axes with the same letter are multiplied elementwise, and letters that
    are not in the result are summed. For example, ``einsum("bhtd,bhsd->bhts", q, k)`` returns the
    dot product of each row of q with each row of k.

    Two operands are multiplied as matrices. More operands are multiplied in pairs, the pair with
    the fewest multiplications first.

    Args:
        subscripts: the letters of each operand, separated by commas; then ``->`` and the letters of
            the result. Without ``->``, the result has the letters that occur once, in alphabetical
            order. ``...`` stands for any number of axes, which broadcast. A letter that occurs
            twice in an operand selects the diagonal. Spaces are ignored.
        *xs: the operands. Axes of length 1 broadcast.

    Raises:
        ArgumentTypeError: ``subscripts`` is not a string.
        ArgumentError: the subscripts are malformed, or do not have one term for each operand.
        ShapeError: the numbers of letters and axes of an operand differ, or axes with the same
            letter have different lengths.
    """
    if not isinstance(subscripts, str):
        raise ArgumentTypeError(
            f"einsum: subscripts of type {type(subscripts).__name__}: expected a string such as "
            "'ij,jk->ik'"
        )
    arrays = [require_array("einsum", x) for x in xs]
    labels, out, lengths = parse(subscripts, tuple([tuple(x.shape) for x in arrays]))
    terms = [without_repeats(*term, lengths) for term in zip(labels, arrays, strict=True)]
    return Einsum([term for term, _ in terms], out)(*[x for _, x in terms])


@lru_cache(1024)  # cached, because every training step has the same shapes
def parse(subscripts: str, shapes: Shapes) -> tuple[list[str], str, dict[str, int]]:
    """Return one letter for each axis of each operand and of the result, and their lengths."""
    joined, arrow, out = subscripts.replace(" ", "").partition("->")
    terms, advice = joined.split(","), None
    if not all([TERM.fullmatch(term) for term in (*terms, out)]):
        advice = "expected letters, ',', '...' and one '->', as in 'ij,jk->ik'"
    elif len(terms) != len(shapes):
        advice = f"expected one term for each of the {len(shapes)} operands, separated by commas"
    elif any([out.count(c) > 1 or c not in joined for c in out.replace("...", "")]):
        advice = "expected each letter of the result once, and in a term of an operand"
    if advice is not None:
        raise ArgumentError(f"einsum: subscripts {subscripts!r}: {advice}")
    labels = [expand(*term) for term in zip(terms, shapes, strict=True)]
    if not arrow:
        letters = re.sub("[.,]", "", joined)
        out = "..." + "".join(sorted([c for c in letters if letters.count(c) == 1]))
    most = max([sum([not c.isalpha() for c in label]) for label in labels])
    return labels, out.replace("...", ellipsis(most)), common_lengths(subscripts, labels, shapes)


def common_lengths(subscripts: str, labels: list[str], shapes: Shapes) -> dict[str, int]:
    """Return the length of the axes with each letter.

    Raises:
        ShapeError: axes with the same letter have different lengths.
    """
    lengths: dict[str, int] = {}
    for term, shape in zip(labels, shapes, strict=True):
        pairs = list(zip(term, shape, strict=True))
        for c, n in pairs:
            if lengths.setdefault(c, n) == 1:
                lengths[c] = n
            if n not in (1, lengths[c]) or len(set(pairs)) > len(set(term)):
                raise ShapeError(
                    f"einsum: subscripts {subscripts!r} for shapes {list(shapes)}: axes with the "
                    "same letter must have the same length; in different operands, length 1 "
                    "broadcasts"
                )
    return lengths


def expand(term: str, shape: tuple[int, ...]) -> str:
    """Return one letter for each axis of an operand.

    Raises:
        ShapeError: the numbers of letters and axes differ.
    """
    count = len(shape) - len(term.replace("...", ""))
    if count < 0 or (count > 0 and "..." not in term):
        raise ShapeError(
            f"einsum: subscripts {term!r} for an operand of shape {shape}: expected one letter for "
            "each axis; '...' stands for the other axes"
        )
    return term.replace("...", ellipsis(count))


def ellipsis(count: int) -> str:
    """Return the characters that stand for ``count`` axes of "...", aligned at the last axis."""
    return "".join([chr(n) for n in reversed(range(count))])


def without_repeats(labels: str, x: Any, lengths: dict[str, int]) -> tuple[str, Any]:
    """Take the diagonals of repeated letters, and remove axes of length 1 that broadcast."""
    repeated = set(labels) if len(set(labels)) < len(labels) else ()
    for c in sorted(repeated):
        while labels.count(c) > 1:
            first, last = labels.index(c), labels.rindex(c)
            x = diagonal(x, 0, first, last)
            labels = labels[:first] + labels[first + 1 : last] + labels[last + 1 :] + c
    kept = [(c, n) for c, n in zip(labels, x.shape, strict=True) if n == lengths[c]]
    if len(kept) == len(labels):
        return labels, x
    return "".join([c for c, _ in kept]), reshape(x, [n for _, n in kept])
