"""Test operators with Variables, arrays and Python scalars on either side, and comparisons."""

import operator

import numpy as np
import pytest

from dezero_core import Parameter, Variable
from dezero_core import functions as F
from dezero_core.errors import ArgumentTypeError, BackendMismatch, ShapeError, UnsupportedType
from dezero_core.extend import get_backend

COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
BINARY += [operator.floordiv, operator.mod]
A, B = np.array([1.5, 2.0], "float32"), np.array([0.5, 3.0], "float32")


@pytest.mark.parametrize("compute", BINARY, ids=lambda f: f.__name__)
def test_every_type_of_operand(compute, backend: str) -> None:
    library = get_backend(backend)
    a, b = library.from_numpy(A), library.from_numpy(B)
    pairs = [
        (Variable(a), Variable(b), compute(A, B)),
        (Variable(a), b, compute(A, B)),
        (Variable(a), 2, compute(A, 2)),
        (2, Variable(a), compute(2, A)),
        (Variable(a), 0.5, compute(A, 0.5)),
        (0.5, Variable(a), compute(0.5, A)),
    ]
    if backend != "strict":  # array-api-strict raises instead of trying the Variable's method
        pairs.append((a, Variable(b), compute(A, B)))
    for left, right, expected in pairs:
        y = compute(left, right)
        assert isinstance(y, Variable)
        got = library.to_numpy(y.data)
        assert got.dtype == np.float32, "Python scalars are weak"
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_matmul_and_signs(backend: str) -> None:
    library = get_backend(backend)
    a = library.from_numpy(np.arange(6.0).reshape(2, 3))
    products = [Variable(a) @ Variable(a).T, Variable(a) @ Variable(a).T.data]
    if backend != "strict":
        products.append(a @ Variable(a).T)
    for y in products:
        assert np.array_equal(library.to_numpy(y.data), [[5, 14], [14, 50]])
    assert np.array_equal(library.to_numpy((-Variable(a)).data), -np.arange(6.0).reshape(2, 3))
    x = Variable(a)
    assert (+x).data is not x.data


def test_comparisons_give_plain_arrays(backend: str) -> None:
    library = get_backend(backend)
    x, y = Variable(library.from_numpy(A)), Variable(library.from_numpy(B))
    for compare in COMPARISONS:
        for other, host in ((y, B), (y.data, B), (2.0, 2.0)):
            mask = compare(x, other)
            assert type(mask) is type(x.data)
            assert np.array_equal(library.to_numpy(mask), compare(A, host))


def test_numpy_scalars_keep_numpys_rules() -> None:
    x = Variable(A)
    assert isinstance(np.float64(2) * x, Variable)
    assert (np.float32(2) * x).dtype == np.float32


def test_two_scalars_make_a_variable() -> None:
    assert float(F.add(1.0, 2.0)) == 3.0
    assert float(F.sin(0.0)) == 0.0


def test_in_place_operators_rebind_the_name() -> None:
    x = y = Variable(A.copy())
    y += 1
    assert y is not x
    assert np.array_equal(x.data, A)
    a = A.copy()
    with pytest.raises(TypeError):
        a += x  # an array cannot hold a graph


IN_PLACE = "iadd isub imul itruediv ipow imatmul ifloordiv imod".split()


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_parameter_refuses_operators_in_place(name: str) -> None:
    p = Parameter(A.copy())
    with pytest.raises(ArgumentTypeError, match=r"^Parameter: \+= makes.* write x\.data \+= y"):
        getattr(operator, name)(p, 0.1)
    assert np.array_equal(p.data, A)


@pytest.mark.parametrize("other", ["strict", "cuda"])
def test_mixing_libraries_raises_with_op_operands_and_remedy(other: str) -> None:
    x, y = Variable(A), Variable(get_backend(other).from_numpy(B))
    for compute in (operator.add, operator.matmul, F.maximum):
        for pair in ((x, y), (y, x), (x.data, y)):
            with pytest.raises(BackendMismatch, match=r"to\(name\)") as caught:
                compute(*pair)
            message = str(caught.value)
            assert "numpy.ndarray float32 (2,)" in message
            assert {"strict": "array_api_strict", "cuda": "cupy.ndarray"}[other] in message
            assert any(op in message for op in ("Add", "MatMul", "Maximum"))
            assert isinstance(caught.value, TypeError)


def test_mixing_devices_of_one_library_raises() -> None:
    import array_api_strict as xp

    x = Variable(get_backend("strict").from_numpy(A))
    y = Variable(xp.asarray(B, device=xp.Device("device2")))
    with pytest.raises(BackendMismatch, match=r"device1.*device2"):
        x + y


@pytest.mark.parametrize(
    ("compute", "shapes", "message"),
    [
        (operator.add, ((2, 3), (4,)), r"Add: shapes \(2, 3\) and \(4,\) do not broadcast"),
        (operator.mul, ((2, 3), (3, 2)), r"Mul: shapes \(2, 3\) and \(3, 2\)"),
        (operator.matmul, ((2, 3), (2, 3)), r"MatMul: shapes \(2, 3\) and \(2, 3\)"),
        (operator.matmul, ((), (2, 3)), r"MatMul: shapes \(\) and \(2, 3\)"),
        (lambda x, y: F.reshape(x, (4,)), ((2, 3), ()), r"Reshape: 6 elements.*to \(4,\)"),
        (lambda x, y: F.transpose(x, (0, 2)), ((2, 3), ()), r"Transpose: axes \(0, 2\)"),
        (lambda x, y: F.sum(x, 2), ((2, 3), ()), r"Sum: axis 2 for shape \(2, 3\)"),
        (lambda x, y: F.sum_to(x, (2, 2)), ((2, 3), ()), r"SumTo: shape \(2, 3\)"),
        (lambda x, y: F.sum_to(x, (1, 2, 3)), ((2, 3), ()), r"SumTo: shape \(2, 3\)"),
        (lambda x, y: F.broadcast_to(x, (2, 4)), ((2, 3), ()), r"BroadcastTo: shape \(2, 3\)"),
        (F.maximum, ((2, 3), (4,)), "Maximum: shapes"),
    ],
)
def test_shapes_that_do_not_match_raise(compute, shapes, message: str, backend: str) -> None:
    x, y = [Variable(get_backend(backend).from_numpy(np.ones(shape))) for shape in shapes]
    with pytest.raises(ShapeError, match=message) as caught:
        compute(x, y)
    assert isinstance(caught.value, ValueError)


def test_operands_that_are_not_arrays_raise() -> None:
    with pytest.raises(UnsupportedType, match="Add: input 1: list is not supported"):
        Variable(A) + [1, 2]
    with pytest.raises(UnsupportedType, match="MatMul: input 1: has no data yet"):
        F.matmul(Variable(np.ones((2, 2))), Variable(None))
