"""Test that `==`, `!=`, `<` and the like compare elementwise, and what equals no Variable."""

import copy
import operator
from array import array
from collections import deque
from functools import lru_cache
from typing import Any
from unittest import mock

import numpy as np
import pytest

from dezero_core import Parameter, Variable
from dezero_core import functions as F
from dezero_core.errors import BackendMismatch, ShapeError, UnsupportedType
from dezero_core.extend import get_backend

HOST = np.array([0.0, 1.0, np.nan], "f")
X = Variable(HOST)
NO_DATA = Parameter(None)

NUMBERS: dict[str, Any] = {
    "int": 0,
    "float": 1.0,
    "bool": True,
    "nan": np.nan,
    "large integer": 10**30,
    "NumPy scalar": np.float32(1),
    "array": np.array([0, 5, 2]),
    "0-d array": np.array(1.0),
    "column": np.array([[0.0], [1.0]]),
    "list": [0, 1, 2],
    "tuple": (0.0, 1.0, 2.0),
    "range": range(3),
    "itself": HOST,
}
OTHERS: dict[str, Any] = {
    "None": None,
    "string": "a",
    "empty string": "",
    "bytes": b"a",
    "object": object(),
    "dict": {},
    "set": {0},
    "type": float,
    "NumPy type": np.float32,
    "slice": slice(None),
    "function": len,
    "module": np,
    "not implemented": NotImplemented,
    "a Variable without data": NO_DATA,
}


@pytest.mark.parametrize("other", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.ge])
def test_numbers_and_arrays_are_compared_elementwise_from_both_sides(
    compare: Any, other: Any
) -> None:
    for got, expected in (
        (compare(X, other), compare(HOST, other)),
        (compare(other, X), compare(other, HOST)),
    ):
        assert isinstance(got, np.ndarray) and got.dtype == bool
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_variable_equals_nothing_but_numbers_and_arrays(other: Any, backend: str) -> None:
    for x in (Variable(get_backend(backend).from_numpy(HOST)), Parameter(None)):
        assert (x == other) is (other == x) is False
        assert (x != other) is (other != x) is True


def test_the_right_operand_may_decide_equality() -> None:
    assert (mock.ANY == X) is True and (X == mock.ANY) is True


def test_a_variable_without_data_equals_only_itself() -> None:
    assert NO_DATA == NO_DATA and (NO_DATA != NO_DATA) is False
    assert (NO_DATA == 1) is (NO_DATA == X) is (X == NO_DATA) is False
    with pytest.raises(UnsupportedType, match="has no data yet"):
        assert NO_DATA < 1


def test_masks_select_elements(backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(np.array([0.0, 2.0, 0.0, 3.0])))
    y = F.where(x == 0, -1.0, 2.0 * x) + F.where(x != 0, 0.5, x)
    assert library.to_numpy(y.data).tolist() == [-1.0, 4.5, -1.0, 6.5]
    y.backward()
    assert library.to_numpy(x.grad.data).tolist() == [1.0, 2.0, 1.0, 2.0]
    assert x[x == 0].shape == (2,)
    assert bool(library.xp.all(x == x))


ERRORS: list[tuple[str, Any, type[Exception], str]] = [
    ("shapes", lambda: X == np.zeros(2), ShapeError, r"\(3,\) == \(2,\) do not broadcast.*`is`"),
    ("shapes of a list", lambda: X != [1, 2], ShapeError, r"\(3,\) != \(2,\) do not broadcast"),
    ("shapes in order", lambda: X >= np.zeros(2), ShapeError, r"\(3,\) >= \(2,\)"),
    ("in a list", lambda: X in [Variable(np.zeros(2))], ShapeError, "in a list, compare"),
    ("a mask of many", lambda: bool(X == 0), ValueError, "more than one element"),
    ("strings", lambda: X == np.array(["a"]), UnsupportedType, "expected booleans, integers"),
    ("complex", lambda: X == 1j, UnsupportedType, "complex"),
    ("order of None", lambda: X < None, TypeError, "'Variable' and 'NoneType'"),
    ("order of a string", lambda: "a" < X, TypeError, "'str' and 'Variable'"),
]


@pytest.mark.parametrize(
    ("line", "error", "message"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS]
)
def test_error(line: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        line()


def test_arrays_of_two_libraries_are_refused() -> None:
    y = Variable(get_backend("strict").from_numpy(HOST))
    for compare in (operator.eq, operator.lt):
        for other in (y, y.data):
            with pytest.raises(BackendMismatch, match="Compare got numpy.ndarray"):
                compare(X, other)


def test_variables_are_keys_by_identity() -> None:
    a, b = Variable(HOST), Variable(HOST)
    assert {a: 1, b: 2}[b] == 2 and a not in {b} and len({a, b, a}) == 2

    @lru_cache
    def number_of(x: Variable) -> int:
        return id(x)

    assert [number_of(x) for x in (a, b, a)] == [id(x) for x in (a, b, a)]
    assert copy.deepcopy([a, a, b])[0] is not a


@pytest.mark.parametrize(
    "other", [array("d", [0, 1, 2]), memoryview(np.array([0.0, 1, 2])), deque([0, 1, 2]), range(3)]
)
def test_sequences_are_compared_elementwise(other: Any) -> None:
    x = Variable(np.array([0.0, 1.0, 3.0]))
    assert (x == other).tolist() == (other == x).tolist() == [True, True, False]
    assert (x != other).tolist() == [False, False, True]


class Table:
    """Convert to an array without being one, as a data frame does."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([0.0, 1.0, 2.0], dtype)


@pytest.mark.parametrize("comparison", [operator.eq, operator.ne, operator.lt])
def test_an_operand_that_only_converts_to_an_array_is_refused(comparison: Any) -> None:
    with pytest.raises(UnsupportedType):
        comparison(Variable(np.zeros(3)), Table())
