"""Compute sums over rows and over channels, one sum for each part as in the CUDA kernels."""

from __future__ import annotations

from typing import Any

import numpy as np


def total(x: Any, y: Any, n: int) -> None:
    y[...] = x.sum()


def flat(x: Any) -> Any:
    """Return the elements in memory order."""
    return np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,), writeable=False)


def parts_of(A: int, chunk: int) -> list[slice]:
    return [slice(start, start + chunk) for start in range(0, A, chunk)]


def column_sums(g: Any, y: Any, C: int, chunk: int, A: int) -> None:
    image_sums(g, y, C, 1, chunk, A)


def image_sums(g: Any, y: Any, C: int, B: int, chunk: int, A: int) -> None:
    g, sums = flat(g).reshape(A, C, B), y.reshape(-1, C)
    sums[...] = 0
    for number, part in enumerate(parts_of(A, chunk)):
        sums[number] = g[part].sum(axis=(0, 2))


def column_products(
    g: Any, x: Any, shift: Any, y: Any, products: Any, C: int, chunk: int, A: int
) -> None:
    image_products(g, x, shift, y, products, C, 1, chunk, A)


def image_products(
    g: Any, x: Any, shift: Any, y: Any, products: Any, C: int, B: int, chunk: int, A: int
) -> None:
    terms = flat(g).reshape(A, C, B) * (flat(x).reshape(A, C, B) - shift.reshape(C, 1))
    image_sums(g, y, C, B, chunk, A)
    image_sums(np.ascontiguousarray(terms), products, C, B, chunk, A)


def column_squares(x: Any, shift: Any, y: Any, C: int, chunk: int, A: int) -> None:
    image_squares(x, shift, y, C, 1, chunk, A)


def image_squares(x: Any, shift: Any, y: Any, C: int, B: int, chunk: int, A: int) -> None:
    terms = (flat(x).reshape(A, C, B) - shift.reshape(C, 1)) ** 2
    image_sums(np.ascontiguousarray(terms), y, C, B, chunk, A)


def norm_sums(
    g: Any, x: Any, mean: Any, inverse: Any, y: Any, products: Any, C: int, chunk: int, A: int
) -> None:
    g, x = g.reshape(A, C), x.reshape(A, C)
    centred = x - mean.reshape(A, 1) if isinstance(mean, np.ndarray) else x
    column_sums(g, y, C, chunk, A)
    column_sums(g * centred * inverse.reshape(A, 1), products, C, chunk, A)
