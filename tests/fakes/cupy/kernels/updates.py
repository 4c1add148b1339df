"""Update many tensors; the arguments are the structs of ``updates.cu``, with addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from memory import array_at

CHUNK = 4096


def tensors(table: Any, lists: int, dtype: Any) -> Iterator[list[Any]]:
    """Yield the elements of each tensor, a flat array for each list."""
    for k in range(table["count"]):
        size = int(table["sizes"][k])
        yield [array_at(int(table["arrays"][i, k]), (size,), (1,), dtype) for i in range(lists)]


def value(number: Any, dtype: Any) -> Any:
    """Return a number that was passed by value or by address."""
    address = int(number["pointer"])
    return array_at(address, (), (), dtype) if address else float(number["value"])


def sgd(table: Any, lr: Any, decay: Any, *, dtype: Any) -> None:
    for p, g in tensors(table, 2, dtype):
        p -= (g + p * decay) * value(lr, dtype)


def sgd_momentum(
    table: Any, lr: Any, momentum: Any, decay: Any, nesterov: int, *, dtype: Any
) -> None:
    for p, g, v in tensors(table, 3, dtype):
        g = g + p * decay
        v[...] = v * momentum + g
        p -= (g + v * momentum if nesterov else v) * value(lr, dtype)


def momentum_sgd(table: Any, lr: Any, momentum: Any, nesterov: int, *, dtype: Any) -> None:
    for p, g, v in tensors(table, 3, dtype):
        step = g * value(lr, dtype)
        v[...] = v * momentum - step
        p += v * momentum - step if nesterov else v


def adam(
    table: Any, rate: Any, eps: Any, decay: Any, beta1: Any, beta2: Any, *, dtype: Any
) -> None:
    rate, eps, decay = (value(x, dtype) for x in (rate, eps, decay))
    beta1, beta2 = float(beta1), float(beta2)
    for p, g, m, v in tensors(table, 4, dtype):
        m[...] = m * beta1 + g * (1 - beta1)
        v[...] = v * beta2 + g * g * (1 - beta2)
        p -= m / (np.sqrt(v) + eps) * rate + p * decay


def squares(table: Any, parts: Any, *, dtype: Any) -> None:
    sums = []
    for (g,) in tensors(table, 1, dtype):
        if g.size == 0:
            continue
        sums += [np.dot(part, part) for part in np.split(g, range(CHUNK, g.size, CHUNK))]
    parts[...] = sums


def clip_rate(parts: Any, norm: Any, rate: Any, max_norm: Any, n: int, *, dtype: Any) -> None:
    norm[...] = np.sqrt(parts.sum())
    rate[...] = np.minimum(1, max_norm / (norm + dtype(1e-6)))


def scaled(table: Any, rate: Any, *, dtype: Any) -> None:
    for y, g in tensors(table, 2, dtype):
        y[...] = g * rate
