"""Test integers, shapes, axes and indices in every form that NumPy takes, and the errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.arguments import as_integer, as_number
from dezero_core.errors import (
    ArgumentError,
    ArgumentTypeError,
    BackendMismatch,
    OutOfRange,
    ShapeError,
)
from dezero_core.extend import get_backend

A = np.arange(6.0).reshape(2, 3)
ROW = A[:1]


def constant(x: Any) -> Variable:
    return Variable(np.asarray(x), requires_grad=False)


def integer(n: int) -> list[Any]:
    """Return an integer in the other forms that NumPy takes."""
    return [np.int64(n), np.int8(n), np.array(n), constant(n)]


def integers(*ns: int) -> list[Any]:
    """Return a tuple of integers in the other forms that NumPy takes."""
    return [list(ns), np.array(ns, "int32"), tuple(map(np.int64, ns)), [np.int16(n) for n in ns]]


REDUCTIONS = [F.sum, F.mean, F.max, F.min, F.logsumexp, Variable.sum, Variable.mean]
FORMS: list[tuple[str, Callable[..., Any], Any, list[Any]]] = [
    *[(f"{f.__name__} one axis", f, -1, integer(-1)) for f in REDUCTIONS],
    *[(f"{f.__name__} axes", f, (0, 1), [*integers(0, 1), range(2)]) for f in REDUCTIONS],
    ("reshape", F.reshape, (3, 2), [*integers(3, 2), (3, np.uint8(2)), constant([3, 2])]),
    ("reshape to one axis", F.reshape, 6, [*integer(6), [6], np.prod(A.shape)]),
    ("x.reshape", lambda x, s: x.reshape(s), (3, 2), integers(3, 2)),
    ("x.reshape of lengths", lambda x, s: x.reshape(s, 2), 3, integer(3)),
    ("x.reshape of one length", lambda x, s: x.reshape(s), 6, integer(6)),
    ("transpose", F.transpose, (1, 0), integers(1, 0)),
    ("x.transpose", lambda x, axes: x.transpose(axes), (1, 0), integers(1, 0)),
    ("x.transpose of axes", lambda x, axis: x.transpose(axis, 0), 1, integer(1)),
    ("expand_dims", F.expand_dims, 1, integer(1)),
    ("expand_dims at several", F.expand_dims, (0, 2), integers(0, 2)),
    ("squeeze", lambda x, axis: F.squeeze(x.reshape(1, 2, 3, 1), axis), 0, integer(0)),
    ("squeeze", lambda x, axis: F.squeeze(x.reshape(1, 6, 1), axis), (0, 2), integers(0, 2)),
    ("concat", lambda x, axis: F.concat([x, x], axis), 1, integer(1)),
    ("stack", lambda x, axis: F.stack([x, x], axis), -1, integer(-1)),
    ("broadcast_to", F.broadcast_to, (4, 2, 3), integers(4, 2, 3)),
    ("broadcast_to one length", lambda x, n: F.broadcast_to(F.sum(x), n), 3, integer(3)),
    ("sum_to", F.sum_to, (1, 3), integers(1, 3)),
    ("get_item", F.get_item, 1, [*integer(1)]),
    ("get_item in a tuple", lambda x, i: x[i, 0], 1, integer(1)),
    ("a slice", lambda x, i: x[:, i:], 1, integer(1)),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_every_form_of_an_integer_gives_the_same_result(form: Any) -> None:
    _, call, plain, others = form
    expected, expected_gradient = value_and_gradient(call, plain)
    for other in others:
        got, gradient = value_and_gradient(call, other)
        assert got.shape == expected.shape
        assert np.array_equal(got, expected)
        assert np.array_equal(gradient, expected_gradient)


def value_and_gradient(call: Callable[..., Any], argument: Any) -> tuple[Any, Any]:
    x = Variable(A.copy())
    y = call(x, argument)
    F.sum(y * y).backward()
    return y.data, x.grad.data


def test_argmax_has_one_axis() -> None:
    for axis in integer(1):
        assert np.array_equal(F.argmax(A, axis).data, [2, 2])
    with pytest.raises(ArgumentTypeError, match=r"argmax: axis \(0,\)"):
        F.argmax(A, (0,))


def test_concat_of_an_array_and_of_everything_flattened() -> None:
    assert F.concat(A).shape == (6,)
    x = Variable(A)
    y = F.concat([x, ROW], None)
    assert np.array_equal(y.data, np.concatenate([A, ROW], None))
    F.sum(y).backward()
    assert np.array_equal(x.grad.data, np.ones((2, 3)))


INDICES: list[Any] = [
    [], [[]], ([], []), (slice(None), []), (..., []), range(0), np.array([], int), (),
    [True, False], [False, False], [[True, False, True], [False, False, True]],
    (slice(None), [True, False, True]), (np.array([True, False]), [0]), A > 2,
    True, False, np.True_, np.False_, None, ..., (None, [0]), ([0, 1], None, ...),
    range(2), (slice(None), range(0, 3, 2)), [np.int64(1), 0], [[0, 1], [1, 0]], ((0, 1),),
    ((0, 1), (1, 2)), np.uint8(1), np.array(1), slice(np.int64(0), np.int64(1)), [1, 1, 0],
    constant([1, 0]), constant(A > 2), (constant([0, 1]), constant([1, 2])), -1, [-1],
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_an_index_selects_the_same_elements_as_in_numpy(index: Any) -> None:
    on_arrays = index.data if isinstance(index, Variable) else index
    if isinstance(index, tuple):
        on_arrays = tuple(i.data if isinstance(i, Variable) else i for i in index)
    expected, expected_gradient = A[on_arrays], np.zeros_like(A)
    np.add.at(expected_gradient, on_arrays, 2 * expected)
    y, gradient = value_and_gradient(F.get_item, index)
    assert y.shape == expected.shape
    assert np.array_equal(y, expected)
    assert np.array_equal(gradient, expected_gradient)


def test_lists_are_indices_on_every_backend(backend: str) -> None:
    library = get_backend(backend)
    for index in (
        [],
        [1, 1],
        [np.int64(1)],
        range(1),
        np.int64(1),
        True,
        [True, False],
        ([1], [2]),
    ):
        x = Variable(library.from_numpy(A))
        y = x[index]
        F.sum(y).backward()
        assert np.array_equal(library.to_numpy(y.data), A[index])
        expected = np.zeros_like(A)
        np.add.at(expected, index, 1)
        assert np.array_equal(library.to_numpy(x.grad.data), expected)


WRONG: list[tuple[Callable[[Variable], Any], type[Exception], str]] = [
    (lambda x: F.sum(x, 1.0), TypeError, r"sum: axis 1\.0 \(float\): expected an integer; int\(\)"),
    (lambda x: F.mean(x, True), TypeError, r"mean: axis True \(bool\): expected an integer"),
    (lambda x: F.max(x, "0"), TypeError, r"max: axis '0' \(str\)"),
    (lambda x: F.sum(x, [0, 1.0]), TypeError, r"sum: axis 1\.0"),
    (lambda x: F.sum(x, {0}), TypeError, r"sum: axis \{0\} \(set\)"),
    (lambda x: F.sum(x, [[0]]), TypeError, r"sum: axis \[0\] \(list\)"),
    (lambda x: F.sum(x, [0, -2]), ValueError, r"Sum: axis \(0, -2\).*named once"),
    (lambda x: F.max(x, (0, 2)), ValueError, r"Max: axis \(0, 2\) for shape \(2, 3\).*exist"),
    (lambda x: F.reshape(x, (3.0, 2)), TypeError, r"reshape: shape 3\.0"),
    (lambda x: F.reshape(x, np.array([3.0, 2.0])), TypeError, r"shape np\.float64\(3\.0\)"),
    (lambda x: F.reshape(x, (True, 6)), TypeError, r"reshape: shape True"),
    (lambda x: F.reshape(x, None), TypeError, r"reshape: shape None"),
    (lambda x: x.transpose(1.0, 0), TypeError, r"transpose: axes 1\.0"),
    (lambda x: F.transpose(x, [1, 1]), ValueError, r"Transpose: axes \(1, 1\)"),
    (lambda x: F.expand_dims(x, 0.0), TypeError, r"expand_dims: axis 0\.0"),
    (lambda x: F.expand_dims(x, None), TypeError, r"expand_dims: axis None"),
    (lambda x: F.expand_dims(x, (0, 0)), ValueError, r"axis \(0, 0\) names an axis twice"),
    (lambda x: F.expand_dims(x, (0, 4)), ValueError, r"axis 4 does not exist: there are 4"),
    (lambda x: F.squeeze(x, 0.0), TypeError, r"squeeze: axis 0\.0"),
    (lambda x: F.concat([x, x], 1.0), TypeError, r"concat: axis 1\.0"),
    (lambda x: F.concat([x, x], np.True_), TypeError, r"concat: axis np\.True_"),
    (lambda x: F.stack([x, x], None), TypeError, r"stack: axis None"),
    (lambda x: F.broadcast_to(x, 3.5), TypeError, r"broadcast_to: shape 3\.5"),
    (lambda x: F.sum_to(x, "3"), TypeError, r"sum_to: shape '3'"),
    (lambda x: x[1.0], IndexError, r"index 1\.0 for shape \(2, 3\): expected integers"),
    (lambda x: x[[1.5]], IndexError, r"expected integers"),
    (lambda x: x["a"], IndexError, r"index a for shape"),
    (lambda x: x[[0], [1, 2, 0], [0]], IndexError, r"for shape \(2, 3\)"),
    (lambda x: x[[[0], [1, 2]]], IndexError, r"index \[\[0\], \[1, 2\]\]"),
    (lambda x: x[constant(0.5)], IndexError, r"expected integers"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong[2])
def test_arguments_that_numpy_refuses_raise(wrong: Any) -> None:
    call, error, message = wrong
    with pytest.raises((ArgumentError, OutOfRange, ShapeError), match=message) as caught:
        call(Variable(A))
    assert isinstance(caught.value, error)


def test_an_index_on_another_backend_is_named() -> None:
    x = Variable(get_backend("strict").from_numpy(A))
    with pytest.raises(BackendMismatch, match=r"GetItem got array_api_strict.*numpy\.ndarray"):
        x[np.array([1, 0])]


def test_numbers_are_converted_to_python_numbers() -> None:
    for value in (2, np.int8(2), np.array(2), constant(2)):
        assert type(as_integer("op", "n", value)) is int
    for value in (0.5, np.float32(0.5), np.float64(0.5), np.longdouble(0.5), np.array(0.5)):
        assert type(as_number("op", "n", value)) is float
    assert type(as_number("op", "n", np.int64(1))) is int
    with pytest.raises(ArgumentError, match="op: n 0 is below 1"):
        as_integer("op", "n", 0, minimum=1)
    for wrong in (True, "1", None, 1j, np.array([1.0]), np.True_):
        with pytest.raises(ArgumentTypeError, match="op: n .*expected a number"):
            as_number("op", "n", wrong)
    with pytest.raises(ArgumentTypeError, match=r"float\(\) converts it without its graph"):
        as_number("op", "n", Variable(np.array(0.5)))


def test_a_variable_of_one_integer_is_an_index() -> None:
    assert [5, 6][constant(1)] == 6
    assert list(range(constant(2))) == [0, 1]
    with pytest.raises(TypeError):
        [5, 6][constant(1.0)]
