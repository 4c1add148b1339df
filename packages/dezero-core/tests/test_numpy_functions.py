"""Test that no NumPy function called with Variables loses the graph silently."""

import copy
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.fft
import numpy.lib.recfunctions
import numpy.lib.scimath
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions

from dezero_core import Variable, no_grad
from dezero_core import functions as F
from dezero_core.errors import BackendMismatch, DezeroError, UnsupportedType
from dezero_core.extend import get_backend
from dezero_core.numpy_functions import (
    CONSTANT,
    DIFFERENTIABLE,
    REARRANGING,
    WITHOUT_DERIVATIVE,
    name_of,
)
from dezero_testing.gradients import check_gradients

A = np.array([[0.3, -1.2, 2.5], [1.7, 0.4, -0.6]])
B = np.array([[1.1, 0.2, -0.7], [-2.3, 0.9, 1.4]])
V3, M34 = B[0], np.linspace(-1, 1, 12).reshape(3, 4)
EVERY = {name_of(f): f for f in get_overridable_numpy_array_functions()}

# For each function that DeZero computes: a call with Variables or arrays, and its inputs.
SAMPLES: dict[str, list[tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    "amax": [(lambda x: np.amax(x, 1), (A,)), (lambda x: np.amax(x, keepdims=True), (A,))],
    "amin": [(lambda x: np.amin(x, (0, 1)), (A,))],
    "append": [(lambda x, y: np.append(x, y), (A, V3)), (lambda x: np.append(x, [1.0, 2.0]), (A,)),
               (lambda x, y: np.append(x, y, axis=1), (A, B))],
    "astype": [(lambda x: np.astype(x, np.float64), (A,))],
    "atleast_1d": [(np.atleast_1d, (A[0, 0],))],
    "atleast_2d": [(np.atleast_2d, (V3,))],
    "atleast_3d": [(np.atleast_3d, (x,)) for x in (A[0, 0], V3, A, A[None])],
    "average": [(np.average, (A,)), (lambda x: np.average(x, 0, keepdims=True), (A,))],
    "broadcast_arrays": [(lambda x, y: np.broadcast_arrays(x, y)[1] * 2, (A, V3))],
    "broadcast_to": [(lambda x: np.broadcast_to(x, (2, 3)), (V3,))],
    "clip": [(lambda x: np.clip(x, -1, 1), (A,)), (lambda x: np.clip(x, None, 1.0), (A,)),
             (lambda x: np.clip(x, a_min=0, a_max=None), (A,)),
             (lambda x, y: np.clip(x, y, 1.0), (A, A - 1))],
    "column_stack": [(lambda x, y: np.column_stack([x, y, x]), (V3, M34))],
    "concatenate": [(lambda x, y: np.concatenate([x, y]), (A, B)),
                    (lambda x: np.concatenate((x, B, [[1, 2, 3]]), axis=0), (A,)),
                    (lambda x, y: np.concatenate([x, y], axis=None), (A, V3)),
                    (lambda x: np.concatenate(x), (A,))],
    "copy": [(np.copy, (A,))],
    "delete": [(lambda x: np.delete(x, 1, axis=1), (A,))],
    "diagonal": [(np.diagonal, (A,)), (lambda x: np.diagonal(x, offset=1), (A,))],
    "dot": [(np.dot, (A, M34)), (np.dot, (V3, V3 * 2)), (np.dot, (A, V3)),
            (np.dot, (2.0 * A[0, 0], A)),
            (lambda x: np.dot(B[None], x), (M34,))],
    "dstack": [(lambda x, y: np.dstack((x, y)), (A, B)), (lambda x: np.dstack([x]), (V3,))],
    "einsum": [(lambda x, y: np.einsum("ij,kj->ik", x, y), (A, B)),
               (lambda x: np.einsum("ij->j", x, optimize=True), (A,))],
    "expand_dims": [(lambda x: np.expand_dims(x, (0, 2)), (A,))],
    "flip": [(np.flip, (A,)), (lambda x: np.flip(x, axis=1), (A,))],
    "fliplr": [(np.fliplr, (A,))],
    "flipud": [(np.flipud, (A,))],
    "hstack": [(lambda x, y: np.hstack([x, y]), (A, B)), (lambda x: np.hstack([x, 1.0]), (V3,))],
    "linalg.diagonal": [(np.linalg.diagonal, (A,))],
    "linalg.matmul": [(np.linalg.matmul, (A, M34))],
    "inner": [(np.inner, (A, B)), (np.inner, (V3, V3 + 1))],
    "trace": [(np.trace, (A,)), (lambda x: np.trace(x, 1, 2, 0), (A[None],))],
    "linalg.outer": [(np.linalg.outer, (V3, A[0]))],
    "linalg.tensordot": [(lambda x, y: np.linalg.tensordot(x, y, axes=1), (A, M34))],
    "linalg.vecdot": [(np.linalg.vecdot, (A, B)),
                      (lambda x, y: np.linalg.vecdot(x, y, axis=0), (A, B))],
    "linalg.matrix_transpose": [(np.linalg.matrix_transpose, (A,))],
    "linalg.vector_norm": [(np.linalg.vector_norm, (A,)),
                           (lambda x: np.linalg.vector_norm(x, axis=1, ord=1), (A,))],
    "matrix_transpose": [(np.matrix_transpose, (A[None],))],
    "max": [(lambda x: np.max(x, axis=0), (A,))],
    "mean": [(np.mean, (A,)), (lambda x: np.mean(x, 1, None, None, True), (A,))],
    "min": [(lambda x: np.min(x, axis=-1), (A,))],
    "moveaxis": [(lambda x: np.moveaxis(x, 0, -1), (A[None],)),
                 (lambda x: np.moveaxis(x, [0, 1], [2, 0]), (A[None],))],
    "outer": [(np.outer, (V3, A))],
    "prod": [(np.prod, (A,)), (lambda x: np.prod(x, axis=0, keepdims=True), (A,))],
    "pad": [(lambda x: np.pad(x, 1), (A,)), (lambda x: np.pad(x, (1, 2)), (A,)),
            (lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3), (A,))],
    "ravel": [(np.ravel, (A,)), (lambda x: np.ravel(x, order="C"), (A,))],
    "repeat": [(lambda x: np.repeat(x, 2), (A,)), (lambda x: np.repeat(x, [1, 2], axis=0), (A,))],
    "reshape": [(lambda x: np.reshape(x, (3, -1)), (A,)), (lambda x: np.reshape(x, 6), (A,))],
    "resize": [(lambda x: np.resize(x, (3, 3)), (A,))],
    "roll": [(lambda x: np.roll(x, 1, axis=1), (A,))],
    "rollaxis": [(lambda x: np.rollaxis(x, 2), (A[None],))],
    "rot90": [(np.rot90, (A,))],
    "squeeze": [(np.squeeze, (A[None],)), (lambda x: np.squeeze(x, axis=0), (A[None],))],
    "stack": [(lambda x, y: np.stack([x, y], axis=1), (A, B)), (lambda x: np.stack((x, B)), (A,))],
    "std": [(np.std, (A,)), (lambda x: np.std(x, axis=1, ddof=1, keepdims=True), (A,))],
    "sum": [(np.sum, (A,)), (lambda x: np.sum(x, axis=(0, 1), keepdims=True), (A,)),
            (lambda x: np.sum(x, -1, None, None, True), (A,))],
    "swapaxes": [(lambda x: np.swapaxes(x, 0, 2), (A[None],))],
    "take": [(lambda x: np.take(x, [0, 0, 2], axis=1), (A,)), (lambda x: np.take(x, 4), (A,))],
    "take_along_axis": [
        (lambda x: np.take_along_axis(x, np.array([[1, 0, 1]]), axis=0), (A,))],
    "tensordot": [(np.tensordot, (A, B)),
                  (lambda x, y: np.tensordot(x, y, ([1], [0])), (A, M34))],
    "tril": [(np.tril, (A,)), (lambda x: np.tril(x, -1), (A,))],
    "triu": [(lambda x: np.triu(x, k=1), (A,))],
    "tile": [(lambda x: np.tile(x, (2, 2)), (A,))],
    "transpose": [(np.transpose, (A,)), (lambda x: np.transpose(x, (1, 0, 2)), (A[None],))],
    "var": [(np.var, (A,)), (lambda x: np.var(x, 0, correction=1), (A,))],
    "vdot": [(np.vdot, (A, B))],
    "vstack": [(lambda x, y: np.vstack([x, y]), (V3, A)),
               (lambda x: np.vstack((x, [[0, 1, 2]])), (A,))],
    "where": [(lambda x, y: np.where(A > 0, x, y), (A, B)),
              (lambda x: np.where([True, False, True], x, 0.0), (A,))],
    "lib.stride_tricks.sliding_window_view": [
        (lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=1), (A,))],
    **{name: [(lambda x, f=f: f(x, 2)[1], (M34.reshape(2, 2, 3)[:, :, :2],))] for name, f in
       (("split", np.split), ("array_split", np.array_split), ("hsplit", np.hsplit),
        ("vsplit", np.vsplit), ("dsplit", np.dsplit))},
    **({"cumulative_sum": [(lambda x: np.cumulative_sum(x, axis=1), (A,))],
        "cumulative_prod": [(lambda x: np.cumulative_prod(x, axis=0), (A,))],
        "unstack": [(lambda x: np.unstack(x)[1], (A,))]} if hasattr(np, "unstack") else {}),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_functions_that_dezero_computes_have_numpys_values_and_gradients(name: str) -> None:
    if name not in EVERY:
        pytest.skip(f"this NumPy has no {name}")
    for call, arrays in SAMPLES[name]:
        for wanted in (True, False):
            y = call(*[Variable(a, requires_grad=wanted) for a in arrays])
            assert type(y) is Variable, "a Variable, also if no input requires grad"
            assert y.requires_grad == wanted
            expected = call(*arrays)
            assert y.shape == expected.shape
            np.testing.assert_allclose(y.data, expected, rtol=1e-12)
        check_gradients(call, *arrays, order=1, name=f"np.{name}")


# NumPy calls and the equivalent DeZero calls: values and gradients are the same.
SAME: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (lambda x, y: np.concatenate([x, y], 1), lambda x, y: F.concat([x, y], 1)),
    (lambda x, y: np.stack([x, y]), lambda x, y: F.stack([x, y])),
    (lambda x, y: np.dot(x, y.T), lambda x, y: F.matmul(x, y.T)),
    (lambda x, y: np.where(A > 0, x, y), lambda x, y: F.where(A > 0, x, y)),
    (
        lambda x, y: np.split(x, [1, 3], 1)[1] * y[:, 1:],
        lambda x, y: F.split(x, [1, 2], 1)[1] * y[:, 1:],
    ),
    (
        lambda x, y: np.array_split(x, 2, 1)[1] * y[:, 2:],
        lambda x, y: F.chunk(x, 2, 1)[1] * y[:, 2:],
    ),
    (lambda x, y: np.clip(x, 0, 1) + y, lambda x, y: F.clip(x, 0, 1) + y),
    (lambda x, y: np.max(x * y, axis=1), lambda x, y: F.max(x * y, axis=1)),
    (lambda x, y: np.mean(x * y), lambda x, y: F.mean(x * y)),
]


@pytest.mark.parametrize("pair", SAME)
def test_numpy_functions_equal_their_dezero_functions(pair: Any) -> None:
    results = []
    for call in pair:
        x, y = Variable(A), Variable(B)
        z = call(x, y)
        F.sum(z * z).backward()
        results.append((z.data, x.grad.data, y.grad.data))
    for numpys, ours in zip(*results, strict=True):
        assert np.array_equal(numpys, ours)


def test_functions_on_the_data_give_plain_arrays(tmp_path: Any) -> None:
    x, y = Variable(A), Variable(B)
    same: list[Callable[[Any, Any], Any]] = [
        lambda x, y: (np.shape(x), np.ndim(x), np.size(x), np.size(x, 0), np.result_type(x, y)),
        lambda x, y: (np.allclose(x, y), np.array_equal(x, x), np.isclose(x, y), np.any(x)),
        lambda x, y: (np.argmax(x), np.argsort(x, axis=0), np.where(x), np.nonzero(x)),
        lambda x, y: (np.unique(x), np.count_nonzero(x), np.histogram(x, 3), np.round(x, 1)),
        lambda x, y: (np.array2string(x), np.array_repr(x), np.array_str(x)),
        lambda x, y: (np.zeros_like(x), np.full_like(x, 2.0), np.isin(x, y), np.iscomplexobj(x)),
    ]
    for call in same:
        for got, expected in zip(call(x, y), call(A, B), strict=True):
            assert type(got) is type(expected)
            np.testing.assert_equal(got, expected)
    np.savez(tmp_path / "a.npz", x=x)
    np.save(tmp_path / "a.npy", y)
    np.savetxt(tmp_path / "a.txt", x)
    assert np.array_equal(np.load(tmp_path / "a.npz")["x"], A)
    assert np.array_equal(np.load(tmp_path / "a.npy"), B)
    assert np.allclose(np.loadtxt(tmp_path / "a.txt"), A)


X, Y, LABELS = Variable(A), Variable(B), np.array([0, 1, 1])
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: np.ptp(X), TypeError,
     r"np\.ptp of a Variable would lose its graph: pass x\.data .*; with gradients: F\.max\(x"),
    (lambda: np.pad(X, 1, mode="median"), ValueError, r"pad: mode 'median': expected 'constant', "),
    (lambda: np.split(X, [2, 1], axis=1), ValueError, r"split: sizes \(2, 0, 2\) along axis 1"),
    (lambda: np.cumsum(X, 0), TypeError, r"np\.cumsum .*cumulative_sum\(x, axis\)"),
    (lambda: np.linalg.norm(X), TypeError, r"np\.linalg\.norm .*: F\.vector_norm\(x"),
    (lambda: np.fft.fft(X), TypeError, r"np\.fft\.fft of a Variable would lose its graph"),
    (lambda: np.sort(X), TypeError, r"np\.sort .*gradients: dezero\.functions\.sort$"),
    (lambda: np.linalg.inv(X), TypeError, r"np\.linalg\.inv .*: dezero\.functions\.inv$"),
    (lambda: np.linalg.pinv(X), TypeError, r"without gradients$"),
    (lambda: np.ones(3, like=X), TypeError, r"np\.ones "),
    (lambda: np.copyto(A.copy(), X), TypeError, r"np\.copyto "),
    (lambda: np.linspace(X, Y), TypeError, r"np\.linspace "),
    (lambda: np.sum(X, out=np.empty(())), ValueError, r"np\.sum .*argument out is not supported"),
    (lambda: np.sum(A, 0, out=X), ValueError, r"np\.sum .*argument out"),
    (lambda: np.sum(X, dtype="float32"), ValueError, r"np\.sum .*argument dtype"),
    (lambda: np.sum(X, 0, np.float32), ValueError, r"np\.sum .*argument dtype"),
    (lambda: np.mean(X, where=A > 0), ValueError, r"np\.mean .*argument where"),
    (lambda: np.max(X, initial=0.0), ValueError, r"np\.max .*argument initial"),
    (lambda: np.average(X, weights=A), ValueError, r"np\.average .*argument weights"),
    (lambda: np.concatenate([X, Y], dtype="float32"), ValueError, r"argument dtype"),
    (lambda: np.reshape(X, (3, 2), order="F"), ValueError, r"np\.reshape .*argument order"),
    (lambda: np.ravel(X, "K"), ValueError, r"np\.ravel .*argument order"),
    (lambda: np.take(X, [9], mode="wrap"), ValueError, r"np\.take .*argument mode"),
    (lambda: np.dot(X, np.ones((2, 3, 2))), ValueError, r"np\.dot: shapes .*matmul\(a, b\)"),
    (lambda: np.bincount(LABELS, weights=X[0]), TypeError, r"np\.bincount .*its weights would get"),
    (lambda: np.histogram(LABELS, weights=X[0]), TypeError, r"np\.histogram .*its weights"),
    (lambda: np.full_like(A, X[0, 0]), TypeError, r"np\.(copyto|full_like) "),
    (lambda: np.full_like(X, X[0, 0]), TypeError, r"np\.full_like .*its fill_value"),
    (lambda: np.sum(X, axis=1.5), TypeError, r"sum: axis 1\.5"),
    (lambda: np.cumsum(X), TypeError, r"np\.cumsum .*: F\.cumulative_sum\("),
]  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused[2])
def test_a_function_that_would_lose_the_graph_raises_with_the_remedy(refused: Any) -> None:
    call, error, message = refused
    with pytest.raises(DezeroError, match=message) as caught:
        call()
    assert isinstance(caught.value, error)
    with no_grad(), pytest.raises(DezeroError, match=message):
        call()


def test_every_numpy_function_is_handled_in_one_of_three_ways(report: Any) -> None:
    """Handle every function that calls ``__array_function__`` in exactly one of three ways."""
    ours = DIFFERENTIABLE.keys() | REARRANGING
    assert not ours & CONSTANT
    assert ours & EVERY.keys() <= SAMPLES.keys(), "a row without a sample"
    refused = sorted(EVERY.keys() - ours - CONSTANT)
    for name in refused:
        with pytest.raises(UnsupportedType, match=rf"^np\.{re.escape(name)} of a Variable"):
            X.__array_function__(EVERY[name], (Variable,), (X,), {})
    groups = {
        "ours": EVERY.keys() & DIFFERENTIABLE.keys(),
        "ours, rearranging": EVERY.keys() & REARRANGING,
        **{
            f"on the data: {k}": EVERY.keys() & set(v.split())
            for k, v in WITHOUT_DERIVATIVE.items()
        },
        "refused with a remedy": set(refused),
    }
    assert sum(map(len, groups.values())) == len(EVERY), "each function is in one group"
    assert len(EVERY) > 250
    for group, names in groups.items():
        listed = " ".join(sorted(names)) if len(names) < 12 else ""
        report("NumPy's functions of Variables", f"{group:26} {len(names):4}", listed)


def test_the_table_names_numpys_parameters() -> None:
    """Compare each row with NumPy's signature, because arguments are matched by position."""
    for name, row in DIFFERENTIABLE.items():
        tokens = [t.removeprefix("-") for t in row.parameters.split() if t not in "/*"]
        try:
            parameters = list(inspect.signature(EVERY[name]).parameters.values())
        except (KeyError, ValueError):  # not in this NumPy, or written in C without a signature
            continue
        positional = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if name != "reshape" and "*" not in row.parameters:  # before 2.1: newshape
            assert tokens[: len(positional)] == positional[: len(tokens)], name
        assert len(positional) <= len(tokens) or "*" in row.parameters, name


def test_arrays_of_other_libraries_are_computed_or_refused(backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(A))
    assert np.shape(x) == (2, 3)
    for y, expected in ((np.sum(x), A.sum()), (np.roll(x, 1), np.roll(A, 1)),
                        (np.concatenate([x, x]), np.concatenate([A, A]))):  # fmt: skip
        assert type(y.data) is type(x.data)
        assert np.allclose(library.to_numpy(y.data), expected)
    if backend != "numpy":
        for call in (np.allclose, np.array_equal):
            with pytest.raises(BackendMismatch, match=rf"backend {backend}, and .*to_cpu\(\)"):
                call(x, A)
        with pytest.raises(BackendMismatch):
            np.concatenate([x, A])
        with pytest.raises(UnsupportedType, match=r"np\.ptp"):
            np.ptp(x)


def test_explicit_conversions_return_the_data() -> None:
    x = Variable(A)
    assert np.asarray(x) is A
    for converted in (
        np.array(x),
        np.array(list(x)),
        np.array([x[0], x[1]]),
        np.asarray(x, "float64"),
    ):
        assert type(converted) is np.ndarray
        assert np.array_equal(converted, A)
    assert np.array_equal(np.array([x, x]), np.array([A, A]))


def test_numpys_asserts_take_variables() -> None:
    x = Variable(A)
    for check in (np.testing.assert_allclose, np.testing.assert_array_equal,
                  np.testing.assert_equal, np.testing.assert_almost_equal):  # fmt: skip
        check(x, A)
        check(A, x)
        with pytest.raises(AssertionError):
            check(x, A + 1)


def test_a_shallow_copy_has_the_same_position_in_the_graph() -> None:
    x = Variable(A)
    y = copy.copy(x * 2)
    F.sum(y).backward()
    assert np.array_equal(x.grad.data, np.full((2, 3), 2.0))
    assert copy.copy(x).data is x.data


def test_numpy_refuses_ufuncs_of_variables() -> None:
    with pytest.raises(TypeError, match="operand 'Variable' does not support ufuncs"):
        np.exp(X)
    assert isinstance(A * X, Variable)


def test_matplotlib_draws_variables() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    figure = pytest.importorskip("matplotlib.figure").Figure(dpi=20)
    axes, v = figure.subplots(), X[0]
    axes.plot(v)
    axes.plot(v, v * 2)
    axes.plot([v[0], v[1]], [v[1], v[2]])
    for draw in (axes.scatter, axes.bar, axes.step, axes.fill_between, axes.hist2d):
        draw(v, v)
    axes.hist(v)
    axes.boxplot(v)
    axes.contour(X)
    assert np.array_equal(axes.imshow(X).get_array(), A)
    figure.canvas.draw()


def test_pandas_reads_the_data() -> None:
    pandas = pytest.importorskip("pandas")
    assert pandas.Series(X[0]).tolist() == A[0].tolist()
    frame = pandas.DataFrame({"a": X[0], "b": X[1]})
    assert np.array_equal(frame.to_numpy(), A.T)
    assert np.array_equal(pandas.DataFrame(X).to_numpy(), A)
