"""Test linear algebra: singular and wrong matrices, signs, dtypes, and undefined gradients."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, grad
from dezero_core import functions as F
from dezero_core.errors import ArgumentError, ShapeError, UnsupportedType
from dezero_core.extend import get_backend
from dezero_testing.gradients import check_gradients

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]])
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.inv(SINGULAR), ArgumentError, r"Inv: Singular.*\(2, 2\)\); expected invertible"),
        (lambda: F.inv(np.ones(3)), ShapeError, r"Inv: shape \(3,\): expected square matrices"),
        (lambda: F.det(np.ones((2, 3))), ShapeError, r"Det: shape \(2, 3\): expected square"),
        (lambda: F.qr(np.ones(3)), ShapeError, r"QR: shape \(3,\): expected matrices"),
        (lambda: F.svd(np.ones(3)), ShapeError, r"SVD: shape \(3,\): expected matrices"),
        (lambda: F.solve(SINGULAR, np.ones(2)), ArgumentError, "Solve: Singular"),
        (lambda: F.solve(A, np.ones(2)), ArgumentError, r"Solve: .*\(3, 3\) and \(2, 1\)\); exp"),
        (lambda: F.solve(A, [1, 2, 3]), UnsupportedType, "solve: b is of type list"),
        (lambda: F.cholesky(-A), ArgumentError, "Cholesky: .*; expected symmetric positive"),
    ],
)
def test_invalid_matrices_are_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_library_without_linear_algebra(monkeypatch: Any) -> None:
    library = get_backend("strict")
    monkeypatch.setattr(library, "xp", SimpleNamespace(**{**vars(library.xp), "linalg": None}))
    with pytest.raises(UnsupportedType, match=r"QR: .*'strict' has no linalg\.qr; .*to_cpu\(\)"):
        F.qr(library.from_numpy(A))


@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_determinants_of_singular_matrices_have_gradients(backend: str) -> None:
    rank_2 = np.array([[1.0, 0, 2], [3, 0, 1], [2, 0, 5]])
    rank_1 = np.array([[1.0, 2, -1, 0], [2, 4, -2, 0], [-1, -2, 1, 0], [0, 0, 0, 0]])
    for x in (SINGULAR, np.zeros((1, 1)), rank_2, rank_1, np.stack([SINGULAR, np.eye(2)])):
        check_gradients(F.det, x, backend=backend)


def test_the_gradient_of_a_large_singular_determinant_is_refused() -> None:
    y = F.det(Variable(np.ones((33, 33))))
    assert float(y) == 0.0
    with pytest.raises(ArgumentError, match="Inv: Singular"):
        y.backward()
    sign, logarithm = F.slogdet(SINGULAR)
    assert float(sign) == 0.0 and float(logarithm) == -np.inf


def test_slogdet_gives_the_sign_and_does_not_overflow() -> None:
    x = Variable(-1e300 * np.eye(3))
    sign, logarithm = F.slogdet(x)
    assert float(sign) == -1.0
    np.testing.assert_allclose(float(logarithm), 3 * np.log(1e300))
    F.sum(sign * logarithm).backward()
    np.testing.assert_allclose(x.grad.data, np.eye(3) * 1e-300, atol=0)


def test_integers_and_half_precision() -> None:
    whole = np.array([[2, 0], [0, 4]])
    assert F.inv(whole).tolist() == [[0.5, 0.0], [0.0, 0.25]]
    half = whole.astype("float16")
    for y in (F.inv(half), F.solve(half, half[0]), F.det(half), *F.slogdet(half), *F.qr(half),
              F.cholesky(half), *F.svd(half), *F.eigh(half)):  # fmt: skip
        assert y.dtype == "float16"


def test_every_output_of_a_decomposition_has_a_gradient() -> None:
    x = np.array([[1.0, 0.3], [-0.4, 2.0], [0.7, 0.1]])
    for call in (
        lambda x: F.svd(x, full_matrices=False)[0] ** 2,
        lambda x: F.svd(x, False)[1],
        lambda x: F.svd(x, False)[2] ** 2,
        lambda x: F.svd(x.T, False)[0] ** 2,
        lambda x: F.svd(x.T, False)[2] ** 2,
        lambda x: F.eigh(F.matmul(x.T, x))[0],
        lambda x: F.eigh(F.matmul(x.T, x))[1] ** 2,
        lambda x: F.qr(x)[0],
        lambda x: F.qr(x)[1],
    ):
        check_gradients(call, x, order=2)


def test_full_matrices() -> None:
    x = Variable(np.array([[1.0, 0.3], [-0.4, 2.0], [0.7, 0.1]]))
    u, s, vh = F.svd(x)
    assert u.shape == (3, 3) and s.shape == (2,) and vh.shape == (2, 2)
    with pytest.raises(ArgumentError, match="SVD: gradient of u or vh: pass full_matrices=False"):
        F.sum(u).backward()
    (gx,) = grad(F.sum(F.svd(x)[1]), [x])
    u, s, vh = F.svd(x, full_matrices=False)
    np.testing.assert_allclose(gx.data, (u.data @ vh.data), rtol=1e-12)


def test_the_vectors_of_equal_values_have_no_gradient() -> None:
    x = Variable(2 * np.eye(3))
    with pytest.raises(ArgumentError, match="Eigh: equal eigenvalues"):
        F.sum(F.eigh(x)[1]).backward()
    with pytest.raises(ArgumentError, match="SVD: equal or zero singular values"):
        F.sum(F.svd(x)[0]).backward()
    with pytest.raises(ArgumentError, match="SVD: equal or zero"):
        F.sum(F.svd(Variable(np.diag([1.0, 0.0])))[2]).backward()
    for values in (F.eigh(x)[0], F.svd(x)[1]):
        (gx,) = grad(F.sum(values), [x])
        np.testing.assert_allclose(gx.data, np.eye(3), atol=1e-15)


def test_qr_of_more_columns_than_rows() -> None:
    x = np.array([[1.0, 0.3, 0.5], [-0.4, 2.0, -0.7]])
    q, r = F.qr(x)
    expected = np.linalg.qr(x)
    np.testing.assert_allclose(q.data, expected[0], atol=1e-14)
    np.testing.assert_allclose(r.data, expected[1], atol=1e-14)
    check_gradients(lambda x: F.qr(x)[1] ** 2, x, order=2)
    check_gradients(lambda x: F.qr(x)[0] ** 2 + F.sum(x), x, order=2)


def test_a_vector_is_solved_against_a_stack() -> None:
    a, b = Variable(np.stack([A, 2 * A])), Variable(np.array([1.0, 2.0, 3.0]))
    x = F.solve(a, b)
    assert x.shape == (2, 3)
    np.testing.assert_allclose(a.data @ x.data[..., None], np.tile(b.data[:, None], (2, 1, 1)))
    F.sum(x).backward()
    assert a.grad.shape == (2, 3, 3) and b.grad.shape == (3,)
