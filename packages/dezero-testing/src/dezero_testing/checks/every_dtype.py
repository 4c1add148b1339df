"""Check each function of the namespace in each dtype, on strided arrays and on special values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from dezero_core.backends.host import HostArray
from dezero_core.extend import Array, ArrayBackend, get_backend

from ..check import Check

Call = Callable[[ArrayBackend, Any], Array]
Calls = Mapping[str, Call]

MOVES: Calls = {
    "asarray": lambda b, x: b.asarray(x),
    "xp.asarray": lambda b, x: b.xp.asarray(x),
    "copy": lambda b, x: b.copy(x),
    "+x": lambda b, x: +x,
    "x[0:1, ...]": lambda b, x: x[0:1, ...],
    "get_item": lambda b, x: b.get_item(x, (slice(None), slice(None, None, -1))),
    "get_item of rows": lambda b, x: b.get_item(x, b.asarray([1, 0, 1])),
    "take": lambda b, x: b.xp.take(x, b.asarray([2, 0]), axis=1),
    "where": lambda b, x: b.xp.where(x == x, x, b.xp.zeros_like(x)),
    "reshape": lambda b, x: b.xp.reshape(x, (3, 2)),
    "permute_dims": lambda b, x: b.xp.permute_dims(x, (1, 0)),
    "matrix_transpose": lambda b, x: b.xp.matrix_transpose(x),
    "x.mT": lambda b, x: x.mT,
    "x.T": lambda b, x: x.T,
    "expand_dims": lambda b, x: b.xp.expand_dims(x, axis=1),
    "squeeze": lambda b, x: b.xp.squeeze(b.xp.expand_dims(x, axis=1), axis=1),
    "broadcast_to": lambda b, x: b.xp.broadcast_to(x, (2, 2, 3)),
    "concat": lambda b, x: b.xp.concat([x, x], axis=1),
    "stack": lambda b, x: b.xp.stack([x, x], axis=0),
    "flip": lambda b, x: b.xp.flip(x, axis=1),
    "roll": lambda b, x: b.xp.roll(x, 1, axis=1),
    "tril": lambda b, x: b.xp.tril(x),
    "triu": lambda b, x: b.xp.triu(x),
    "moveaxis": lambda b, x: b.xp.moveaxis(x, 0, 1),
    "astype": lambda b, x: b.xp.astype(x, x.dtype),
    "take_along_axis": lambda b, x: b.xp.take_along_axis(
        x, b.xp.reshape(b.asarray([2, 1, 0, 0, 1, 2]), (2, 3)), axis=1
    ),
    "pad": lambda b, x: b.pad(x, ((1, 0), (0, 2)), 3.0),
    "sliding_windows": lambda b, x: b.sliding_windows(x, (1, 2), (1, 1), (1, 1)),
}
"""Calls that only move elements, so that no bit of an element may change."""

ARITHMETIC: Calls = {
    "x + 1": lambda b, x: x + 1,
    "1 + x": lambda b, x: 1 + x,
    "x - 1": lambda b, x: x - 1,
    "1 - x": lambda b, x: 1 - x,
    "x * 2": lambda b, x: x * 2,
    "2 * x": lambda b, x: 2 * x,
    "x + x": lambda b, x: x + x,
    "x - y": lambda b, x: x - x[:, 0:1],
    "x * x": lambda b, x: x * x,
    "x // 2": lambda b, x: x // 2,
    "x % 2": lambda b, x: x % 2,
    "-x": lambda b, x: -x,
    "abs(x)": lambda b, x: abs(x),
    "xp.abs": lambda b, x: b.xp.abs(x),
    "sign": lambda b, x: b.xp.sign(x),
    "xp.sum": lambda b, x: b.xp.sum(x),
    "xp.sum over an axis": lambda b, x: b.xp.sum(x, axis=1),
    "max": lambda b, x: b.xp.max(x, axis=1),
    "max keepdims over all axes": lambda b, x: b.xp.max(x, axis=None, keepdims=True),
    "min": lambda b, x: b.xp.min(x),
    "prod": lambda b, x: b.xp.prod(x, axis=0),
    "cumulative_sum in float32": lambda b, x: b.xp.cumulative_sum(
        x, axis=1, dtype=b.dtype("float32")
    ),
    "cumulative_prod in float32": lambda b, x: b.xp.cumulative_prod(
        x, axis=1, dtype=b.dtype("float32")
    ),
    "maximum": lambda b, x: b.xp.maximum(x, b.xp.flip(x, axis=1)),
    "minimum": lambda b, x: b.xp.minimum(x, b.xp.flip(x, axis=1)),
    "clip": lambda b, x: b.xp.clip(x, 0, 2),
    "zeros": lambda b, x: b.zeros((2,), x),
    "zeros_like": lambda b, x: b.xp.zeros_like(x),
    "ones_like": lambda b, x: b.xp.ones_like(x),
    "full_like": lambda b, x: b.xp.full_like(x, 3),
    "scalar_like": lambda b, x: b.scalar_like(2, x),
    "argmax": lambda b, x: b.xp.argmax(x, axis=1),
    "argmin": lambda b, x: b.xp.argmin(x, axis=1),
    "argsort": lambda b, x: b.argsort(x, 1, True),
    "argsort of ties": lambda b, x: b.argsort(b.xp.zeros_like(x), 1, True),
    "searchsorted": lambda b, x: b.xp.astype(
        b.xp.searchsorted(b.asarray([0, 2, 4]), b.asarray([3])), b.dtype("int64")
    ),
    "count_nonzero": lambda b, x: b.xp.astype(b.xp.count_nonzero(x, axis=1), b.dtype("int64")),
    "arange of one": lambda b, x: b.arange(1, x),
    "x == y": lambda b, x: x == x[:, 0:1],
    "x != y": lambda b, x: x[:, 0:1] != x,
    "x >= y": lambda b, x: x[:, 0:1] >= x,
    "x < y": lambda b, x: x[:, 0:1] < x,
    "~x": lambda b, x: ~(x > 1),
    "x & y": lambda b, x: (x[:, 0:1] > 0) & (x > 1),
    "x | y": lambda b, x: (x[:, 0:1] > 0) | (x > 1),
    "x | y without axes": lambda b, x: (x[0, 0] > 0) | (x[0, 1] > 1),
    "all": lambda b, x: b.xp.all(x > 0),
    "any over an axis": lambda b, x: b.xp.any(x > 1, axis=1),
}
"""Calls with integers and floating-point numbers."""

FLOATING: Calls = {
    "x + 0.3": lambda b, x: x + 0.3,
    "maximum with 0.3": lambda b, x: b.xp.maximum(x, b.scalar_like(0.3, x)),
    "scalar_like of 0.1": lambda b, x: b.scalar_like(0.1, x),
    "x / 3": lambda b, x: x / 3,
    "3 / x": lambda b, x: 3 / (x + 4),
    "backend.sum": lambda b, x: b.sum(x, 1, False),
    "floor": lambda b, x: b.xp.floor(x),
    "ceil": lambda b, x: b.xp.ceil(x),
    "trunc": lambda b, x: b.xp.trunc(x),
    "round": lambda b, x: b.xp.round(x),
    "isfinite": lambda b, x: b.xp.isfinite(x),
    "isnan": lambda b, x: b.xp.isnan(x),
    "x @ y": lambda b, x: x @ b.xp.matrix_transpose(x),
    "matmul": lambda b, x: b.xp.matmul(x, b.xp.flip(b.xp.matrix_transpose(x), axis=1)),
    "cumulative_sum": lambda b, x: b.xp.cumulative_sum(x, axis=1),
    "cumulative_prod": lambda b, x: b.xp.cumulative_prod(x, axis=1),
}
"""Calls with floating-point numbers only."""

SIGNS: Calls = {
    "-x": lambda b, x: -x,
    "x * 1": lambda b, x: x * 1.0,
    "1 * x": lambda b, x: 1.0 * x,
    "x * y": lambda b, x: x * b.xp.ones_like(x),
    "x / 2": lambda b, x: x / 2.0,
    "x - 0": lambda b, x: x - b.xp.zeros_like(x),
    "x + y": lambda b, x: x + x,
    "max": lambda b, x: b.xp.max(x, axis=1),
    "prod": lambda b, x: b.xp.prod(x[:, 0:1], axis=1),
}
"""Calls whose results have signs of zeros and infinities that the standard prescribes."""

NUMBERS = np.array([[1, -3, 2], [5, 0, 4]])
SPECIAL = np.array([[-0.0, np.inf, 0.0], [-np.inf, 1.0, -0.0]], "float32")


def dtype_checks() -> list[Check]:
    """Return a check for each dtype, and one of special values."""
    doubles = frozenset({"float64"})
    return [
        Check("every function of int64", "arrays", partial(check_dtype, "int64")),
        Check("every function of float32", "arrays", partial(check_dtype, "float32")),
        Check("every function of float64", "arrays", partial(check_dtype, "float64"), doubles),
        Check("zeros with signs and infinities", "arrays", check_special),
    ]


def check_dtype(dtype: str, name: str) -> None:
    """Compare every call with NumPy's backend, on arrays in C order and in Fortran order."""
    scale = 1 if dtype == "int64" else 0.7
    x = (NUMBERS * scale).astype(dtype)
    calls = {**MOVES, **ARITHMETIC, **({} if dtype == "int64" else FLOATING)}
    for what, call in calls.items():
        compare(name, what, call, x, same_values)
        compare(name, f"{what}, strided", call, x, same_values, strided=True)


def check_special(name: str) -> None:
    """Compare the bits of results that contain zeros with signs and infinities."""
    for what, call in {**MOVES, **SIGNS}.items():
        compare(name, what, call, SPECIAL, same_bits)


def compare(
    name: str,
    what: str,
    call: Call,
    x: HostArray,
    same: Callable[[HostArray, HostArray], bool],
    strided: bool = False,
) -> None:
    """Compare the result of a call on a backend with its result on NumPy's backend."""
    results = []
    for library in (get_backend(name), get_backend("numpy")):
        given = library.from_numpy(x.T.copy() if strided else x)
        given = library.xp.permute_dims(given, (1, 0)) if strided else given
        results.append(library.to_numpy(library.asarray(call(library, given))))
    got, expected = results
    assert got.dtype == expected.dtype, f"{what}: dtype {got.dtype}, expected {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    assert same(got, expected), f"{what}: got {got}, expected {expected}"


def same_values(got: HostArray, expected: HostArray) -> bool:
    """Return whether results are equal up to rounding in their dtype."""
    tolerance = {"float32": 1e-6, "float64": 1e-14}.get(str(got.dtype), 0.0)
    return bool(np.allclose(got, expected, tolerance, tolerance))


def same_bits(got: HostArray, expected: HostArray) -> bool:
    """Return whether all elements and their signs are equal."""
    return bool(
        np.array_equal(got, expected) and np.array_equal(np.signbit(got), np.signbit(expected))
    )
