"""Name the axes of a graph whose length is known only when the graph runs.

While a model is traced, each free length has the value of a prime number that divides no other
length of the model. So DeZero computes with ordinary integers, and every multiple of the prime
number in the graph is a free length. (PyTorch calls an axis of free length dynamic.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from dezero_core.errors import ArgumentError

FIRST_PRIME = 1009
"""The smallest value of a free length while a graph is traced; few models have such lengths."""

Shape = tuple[int | str, ...]


class Input(NamedTuple):
    """Describe an input of a graph.

    Attributes:
        shape: the lengths of the axes; a string is a free length.
        dtype: the name of the dtype.
        value: an example, a NumPy array, or None.
    """

    shape: Shape
    dtype: str
    value: Any


class FreeLengths(NamedTuple):
    """Store the free lengths of a graph.

    Attributes:
        primes: a dictionary from the names of free lengths to their values while tracing.
    """

    primes: Mapping[str, int]

    def traced(self, shape: Shape) -> tuple[int, ...]:
        """Return a shape with integers in place of names."""
        return tuple(self.primes[n] if isinstance(n, str) else n for n in shape)

    def factors(self, length: int) -> tuple[list[str], int]:
        """Return the names of the free lengths in ``length``, and the remaining factor."""
        names = []
        for name, prime in self.primes.items():
            while length > 0 and length % prime == 0:
                names.append(name)
                length //= prime
        return names, length

    def are_in(self, lengths: Iterable[int]) -> bool:
        """Return whether one of ``lengths`` is free."""
        return any(self.factors(int(n))[0] for n in lengths)

    def named(self, shape: Sequence[int]) -> Shape:
        """Return a shape with names, such as ``"N"`` or ``"64*N"``, in place of free lengths."""
        return tuple(self._named(n) for n in shape)

    def text_with_names(self, text: str) -> str:
        """Return a text with the names of free lengths in place of their values."""
        for name, prime in self.primes.items():
            text = re.sub(rf"\b{prime}\b", name, text)
        return text

    def _named(self, length: int) -> int | str:
        names, rest = self.factors(length)
        return "*".join([str(rest)] * (rest != 1) + names) if names else length


def free_lengths(shapes: Mapping[str, Shape], others: Iterable[int]) -> FreeLengths:
    """Choose a prime number for each name in ``shapes`` that divides none of ``others``.

    Args:
        shapes: the shapes of the inputs by name; a string is the name of a free length.
        others: the other lengths of the model.

    Raises:
        ArgumentError: a length is neither a positive integer nor a name.
    """
    lengths = [(name, n) for name, shape in shapes.items() for n in shape]
    for name, n in lengths:
        if not (n.isidentifier() if isinstance(n, str) else type(n) is int and n > 0):
            raise ArgumentError(
                f"export_onnx: {name} has the length {n!r}; expected an integer of at least 1, or "
                "the name of a free length, such as 'N'"
            )
    used = {n for n in others if n} | {n for _, n in lengths if isinstance(n, int)}
    candidates = (n for n in count(FIRST_PRIME) if is_prime(n) and all(m % n for m in used))
    names = dict.fromkeys(n for _, n in lengths if isinstance(n, str))
    return FreeLengths(dict(zip(names, candidates, strict=False)))


def is_prime(n: int) -> bool:
    """Return whether ``n``, at least 2, is a prime number."""
    return all(n % i for i in range(2, int(n**0.5) + 1))
