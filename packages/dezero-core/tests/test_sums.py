"""Test that sums of many terms are accurate over any axes of NumPy arrays of any layout."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.backends import summation
from dezero_core.dtypes import sum_over
from dezero_core.errors import ShapeError
from dezero_core.extend import backend_of

BOUND = 1e-5
"""Maximum relative error. It is 5e-6 for 512 equal terms, and 1.4e-4 for 10**5 terms without
partial sums."""

LAYOUTS = {
    "C": lambda x: x,
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, ..., ::-1],
    "every other": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "swapped": lambda x: np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1),
    "one element": lambda x: np.broadcast_to(x[:1, :1, :1], x.shape),
    "one row": lambda x: np.broadcast_to(x[:1], x.shape),
    "one column": lambda x: np.broadcast_to(x[..., :1], x.shape),
    "one of the middle": lambda x: np.broadcast_to(x[:, :1], x.shape),
}
SHAPES = [(30_000, 1, 3), (3, 30_000, 2), (40, 50, 40), (1, 2, 40_000), (250, 300, 1)]


@pytest.mark.parametrize(
    ("dtype", "layout"), [*(("float32", name) for name in LAYOUTS), ("float16", "C")]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_over_all_axes_of_all_layouts(shape: Any, layout: str, dtype: str) -> None:
    x = LAYOUTS[layout](np.full(shape, 0.1, "float32")).astype(dtype, copy=False)
    for axes in (axes for n in (1, 2, 3) for axes in combinations(range(3), n)):
        wide = np.dtype("float32") if dtype == "float16" else None
        total = summation.sum_in_blocks(x, axes, True, wide)
        expected = float(x[0, 0, 0]) * np.prod([shape[a] for a in axes])
        assert total.shape == tuple(1 if a in axes else n for a, n in enumerate(shape))
        assert total.dtype == "float32"
        assert np.max(np.abs(total / expected - 1)) < BOUND, axes


@settings(max_examples=25)
@given(st.data())
def test_sums_are_those_of_numpy(data: Any) -> None:
    """Sum small integers, whose sum is exact in any order."""
    shape = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 17, 130]), min_size=1, max_size=3))
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1) | st.lists(
        st.integers(0, len(shape) - 1), unique=True).map(tuple))  # fmt: skip
    x = np.random.default_rng(0).integers(-8, 8, shape).astype(data.draw(st.sampled_from("fd")))
    x = x.transpose(data.draw(st.permutations(range(x.ndim))))
    keepdims = data.draw(st.booleans())
    total = sum_over(x, backend_of(x), axis, keepdims)
    expected = np.sum(x, axis=axis, keepdims=keepdims)
    assert np.array_equal(total, expected) and total.dtype == expected.dtype


@pytest.mark.parametrize("n", [513, 600, 767, 768, 1000, 65_535, 65_536, 65_537, 200_001])
def test_every_term_is_added_once(n: int) -> None:
    x = np.arange(2 * n, dtype="float64").reshape(n, 2)
    assert np.array_equal(summation.sum_in_blocks(x, 0, False), [n * (n - 1.0), n * float(n)])


def test_short_sums_are_those_of_numpy_bit_for_bit() -> None:
    x = np.random.default_rng(0).random((summation.MAX_TERMS, 3), "float32")
    assert np.array_equal(F.sum(x, 0).data, np.sum(x, axis=0))


def test_integers_are_exact_and_infinities_stay() -> None:
    big = np.full((100_000, 2), 2**40 + 1)
    assert np.array_equal(F.sum(big, 0).data, [100_000 * (2**40 + 1)] * 2)
    assert F.sum(np.ones((100_000, 2), bool), 0).data.tolist() == [100_000, 100_000]
    x = np.ones((100_000, 3), "float32")
    x[99_999] = np.inf, -np.inf, np.nan
    assert np.array_equal(F.sum(x, 0).data, x[-1], equal_nan=True)


@pytest.mark.parametrize("axis", [2, -3, (0, 0), (0, -2), (0, 5)])
def test_a_wrong_axis_of_a_large_array_is_named(axis: Any) -> None:
    with pytest.raises(ShapeError, match=r"Sum: .*\(100000, 2\)"):
        F.sum(np.ones((100_000, 2), "float32"), axis)


def test_the_first_sum_of_a_process_is_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    from dezero_core.backends import precision

    monkeypatch.setattr(precision, "_wide", {})
    total = F.sum(np.full((1_000_000, 2), 0.1, "float32"), 0)
    assert np.max(np.abs(total.data / 100_000 - 1)) < BOUND


@pytest.mark.parametrize("index", [np.zeros(300_000, "int64"), (np.zeros(300_000, "int64"), 1)])
def test_duplicate_indices_give_an_accurate_gradient(index: Any) -> None:
    table = Variable(np.zeros((2, 2), "float32"))
    F.sum(table[index] * np.float32(0.1)).backward()
    gradient = table.grad.data
    assert gradient.dtype == "float32" and abs(gradient[0, 1] / 30_000 - 1) < 1e-7


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_rows_are_added_at_integers_of_any_dtype(dtype: str, layout: Any) -> None:
    """An int8 times the length of a row would overflow; a copy of the target would be lost."""
    x, values = np.zeros((3, 2, 100), order=layout), np.arange(800.0).reshape(2, 2, 2, 100)
    index = np.array([[1, 2], [1, 0]], dtype)
    summation.scatter_add(x, index, values)
    for row, expected in enumerate((values[1, 1], values[0, 0] + values[1, 0], values[0, 1])):
        assert np.array_equal(x[row], expected)
    summation.scatter_add(x, np.array([-1, -3]), values[0])
    assert np.array_equal(x[2], values[0, 1] + values[0, 0])
    assert np.array_equal(x[0], values[1, 1] + values[0, 1])
