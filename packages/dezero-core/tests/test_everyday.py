"""Test common uses of a Variable: printing, rounding, comparing, iterating over rows."""

import copy
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable, grad, hessian, jacobian
from dezero_core import functions as F
from dezero_core.errors import GraphError, ShapeError
from dezero_core.extend import on_grad_ready

X = Variable(np.array(3.75, "f"), name="x")
COLUMN = Variable(np.array([[-2.5]]))
INDEX = Variable(np.array(2))
TWO = Variable(np.array([2]))
ROWS = Variable(np.arange(6.0).reshape(2, 3))
NO_DATA = Variable(None)

VALUES: list[tuple[str, Callable[[], Any], Any]] = [
    ("a loss in a string", lambda: f"{X:.4f}", "3.7500"),
    ("of shape (1, 1)", lambda: f"{COLUMN:+.1e}", "-2.5e+00"),
    ("an integer", lambda: f"{TWO:03d}", "002"),
    ("a bool", lambda: f"{Variable(np.array(True)):d}", "1"),
    ("in a column of a table", lambda: f"{X:>8}|", "    3.75|"),
    ("str.format", lambda: "{:.2f}".format(X), "3.75"),  # noqa: UP032
    ("percent", lambda: "%.3f %d %s" % (X, X, TWO), "3.750 3 variable([2])"),  # noqa: UP031
    ("no format", lambda: f"{X} {TWO}", "variable(3.75) variable([2])"),
    ("no format, two axes", lambda: f"{ROWS}", str(ROWS)),
    ("no data", lambda: f"{NO_DATA}", "variable(None)"),
    ("round", lambda: round(X, 1), 3.8),
    ("round to an integer", lambda: round(X), 4),
    ("floor", lambda: math.floor(COLUMN), -3),
    ("ceil", lambda: math.ceil(X), 4),
    ("trunc", lambda: math.trunc(COLUMN), -2),
    ("floor of a large integer", lambda: math.floor(Variable(np.array(2**60 + 1))), 2**60 + 1),
    ("int, float", lambda: (int(X), float(COLUMN)), (3, -2.5)),
    ("bool, complex", lambda: (bool(X), complex(TWO)), (True, 2 + 0j)),
    ("an index of a list", lambda: "abc"[INDEX], "c"),
    ("a length", lambda: list(range(INDEX)), [0, 1]),
    ("an index of an array", lambda: [np.arange(5)[i].shape for i in (INDEX, TWO)], [(), (1,)]),
    ("the largest", lambda: max([X, COLUMN, TWO]) is X, True),
    ("sorted", lambda: [float(v) for v in sorted([X, COLUMN, TWO])], [-2.5, 2.0, 3.75]),
    ("a sum, which starts with 0", lambda: float(sum([X, COLUMN])), 1.25),
    ("a mean", lambda: float(np.mean([float(X), float(TWO)])), 2.875),
    ("in a list of scalars", lambda: (X in [TWO, X], [TWO, X].index(X)), (True, 1)),
    ("first in a list", lambda: (ROWS in [ROWS, X], [ROWS, X].index(ROWS)), (True, 0)),
    ("a key", lambda: {X: 1, ROWS: 2}[ROWS], 2),
    ("contains", lambda: (5.0 in ROWS, 7 in ROWS, TWO in ROWS), (True, False, True)),
    ("contains no such thing", lambda: (None in ROWS, "5" in ROWS), (False, False)),
    ("unpacked rows", lambda: [row.data.tolist() for row in ROWS], ROWS.data.tolist()),
    ("rows backwards", lambda: [float(row[0]) for row in reversed(ROWS)], [3.0, 0.0]),
    ("pairs of columns", lambda: [len(pair) for pair in zip(*ROWS, strict=True)], [2, 2, 2]),
    ("T of any shape", lambda: (X.T.shape, TWO.T.shape, ROWS.T.shape), ((), (1,), (3, 2))),
    ("signs", lambda: (float(-X), float(abs(COLUMN)), float(+X)), (-3.75, 2.5, 3.75)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"), [row[1:] for row in VALUES], ids=[r[0] for r in VALUES]
)
def test_value(line: Callable[[], Any], expected: Any) -> None:
    got = line()
    assert got == expected and type(got) is type(expected)


def change_in_place() -> None:
    ROWS[0] = 1.0


def add_in_place() -> None:
    ROWS[0] += 1.0


ERRORS: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("format of many", lambda: f"{ROWS:.2f}", TypeError, r"format '.2f': .* got shape \(2, 3\)"),
    ("format of none", lambda: f"{NO_DATA:.2f}", TypeError, "got no data"),
    ("a format of integers", lambda: f"{X:d}", ValueError, "'d' for object of type 'float'"),
    ("round of many", lambda: round(ROWS, 1), TypeError, r"write x\.data|x\.data\.round\(\)"),
    ("floor of many", lambda: math.floor(ROWS), TypeError, r"take the floor of x\.data"),
    ("index of a float", lambda: operator.index(X), TypeError, r"float32; write int\(x\)"),
    ("index of a bool", lambda: [1, 2][Variable(np.array(True))], TypeError, "bool; write int"),
    ("index of many", lambda: range(ROWS), TypeError, r"got shape \(2, 3\)"),
    ("index of one in an axis", lambda: "abc"[TWO], TypeError, r"got shape \(1,\), int64"),
    ("index of none", lambda: "abc"[NO_DATA], TypeError, "got no data"),
    ("float of many", lambda: float(ROWS), ShapeError, r"shape \(2, 3\); index it, or reduce"),
    ("float of none", lambda: float(NO_DATA), ShapeError, "got no data"),
    ("percent of many", lambda: "%.2f" % ROWS, ShapeError, r"got shape \(2, 3\)"),  # noqa: UP031
    ("if of many", lambda: 1 if ROWS else 2, ShapeError, r"\(x.data != 0\).any\(\)"),
    ("if of nothing", lambda: not Variable(np.zeros(0)), ShapeError, r"got shape \(0,\)"),
    ("item of many", lambda: ROWS.item(), ShapeError, r"item\(\): .* got shape \(2, 3\)"),
    ("len without axes", lambda: len(X), TypeError, "without axes"),
    ("rows without axes", lambda: list(X), TypeError, "without axes: it has no rows"),
    ("setting rows", change_in_place, TypeError, r"write x\.data\[index\] = value"),
    ("adding to rows", add_in_place, TypeError, r"write x\.data\[index\] = value"),
    ("another in a list", lambda: ROWS in [X, ROWS], ValueError, "more than one element"),
    ("divmod by a list", lambda: divmod(ROWS, [2]), TypeError, "list is not supported"),
    ("a list as operand", lambda: X + [1.0], TypeError, "list is not supported"),
    ("a string as operand", lambda: "loss: " + X, TypeError, "str"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "error", "message"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS]
)
def test_error(line: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        line()


def test_the_tests_above_changed_no_variable() -> None:
    assert ROWS.data.tolist() == [[0, 1, 2], [3, 4, 5]] and X.grad is None and X.name == "x"


def test_adding_to_a_loss_makes_a_new_variable() -> None:
    first = loss = Variable(np.array(1.0))
    held = loss.data
    loss += 2.0
    loss -= 0.5
    loss *= 2.0
    loss /= 5.0
    assert float(loss) == 1.0 and float(first) == 1.0 and held == 1.0
    loss.backward()
    assert float(first.grad) == 0.4


@pytest.mark.parametrize("cls", [Variable, Parameter])
def test_detach_shares_only_the_data(cls: type[Variable]) -> None:
    x = cls(np.ones(3), name="x")
    for source in (x, x * 2):
        y = source.detach()
        assert type(y) is Variable and y.data is source.data
        assert y.creator is None and not y.requires_grad and y.grad is None
    y = x.detach()
    y.name, y.grad = "y", Variable(np.zeros(3))
    assert x.name == "x" and x.grad is None
    F.sum(x * x.detach()).backward()
    assert x.grad.data.tolist() == [1, 1, 1]
    y.data[...] = 5
    assert x.data.tolist() == [5, 5, 5]


def test_a_copy_is_another_variable() -> None:
    x = Variable(np.ones(2), name="x")
    y = copy.copy(x)
    y.name = "y"
    assert y is not x and y.data is x.data and x.name == "x"
    z = copy.copy(x * 2)
    z.backward()
    assert x.grad.data.tolist() == [2, 2], "at the same position in the graph"


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 1, 2), (0, 2)])
def test_printing_aligns_the_rows_of_any_shape(shape: tuple[int, ...]) -> None:
    data = np.zeros(shape)
    lines = repr(Variable(data)).splitlines()
    assert "\n".join(line[9:] for line in lines) == str(data) + ")"
    assert lines[0][:9] == "variable(" and all(line[:9] == " " * 9 for line in lines[1:])


# The derivative of a leaf with respect to itself is ones.


def test_backward_of_a_leaf_adds_ones() -> None:
    x = Variable(np.array([2.0, 3.0], "f"))
    x.backward()
    assert x.grad.data.tolist() == [1, 1] and x.grad.dtype == np.float32
    before = x.grad.data
    x.backward(retain_grad=True)
    x.backward(create_graph=True)
    x.backward(retain_graph=True)
    assert x.grad.data.tolist() == [4, 4] and before.tolist() == [1, 1]
    F.sum(x * x).backward()
    assert x.grad.data.tolist() == [8, 10]
    assert x.grad.creator is None


def test_backward_of_a_leaf_is_reported() -> None:
    x, seen = Variable(np.ones(2)), []
    with on_grad_ready(seen.append):
        x.backward()
    assert seen == [x] and x.grad.data.tolist() == [1, 1]


def test_backward_of_what_requires_no_grad_still_raises() -> None:
    cut = Variable(np.ones(2)) * 2
    cut.unchain()
    for x in (Variable(np.ones(2), requires_grad=False), cut):
        with pytest.raises(GraphError, match="this Variable has no graph"):
            x.backward()
    with pytest.raises(GraphError, match="has no data"):
        NO_DATA.backward()


def test_derivatives_of_the_identity() -> None:
    x, other = Variable(np.array([2.0, 3.0])), Variable(np.ones(2))
    found, nothing = grad(x, [x, other])
    assert found.data.tolist() == [1, 1] and nothing is None and x.grad is None
    assert grad(x, x, np.array([5.0, 7.0])).data.tolist() == [5, 7]
    assert jacobian(lambda x: x, x).data.tolist() == [[1, 0], [0, 1]]
    assert jacobian(lambda x: other, x).data.tolist() == [[0, 0], [0, 0]]
    assert hessian(lambda x: x, x).data.tolist() == [[0, 0], [0, 0]]


def test_reshape_takes_its_shape_by_keyword() -> None:
    x = Variable(np.ones((2, 3)))
    assert x.reshape(shape=(3, 2)).shape == x.reshape(3, 2).shape == x.reshape((3, 2)).shape
