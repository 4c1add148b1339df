"""Define the rows of linear algebra, on well-conditioned matrices made from the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.backends.host import HostArray

from ...op_case import OpCase

SQUARE = (((3, 3),), ((2, 1, 1),), ((0, 2, 2),))
SYSTEMS = (((2, 3, 3), (3, 2)), ((1, 1), (1,)), ((2, 2), (0, 2, 1)))
RECTANGLES = (((3, 2),), ((1, 1),), ((2, 3),))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [
        OpCase("inv", lambda x: F.inv(_regular(x)), lambda x: np.linalg.inv(_shifted(x)), SQUARE),
        OpCase(
            "solve",
            lambda a, b: F.solve(_regular(a), b),
            lambda a, b: np.linalg.inv(_shifted(a)) @ b,
            SYSTEMS,
        ),
        OpCase("det", lambda x: F.det(_regular(x)), lambda x: np.linalg.det(_shifted(x)), SQUARE),
        OpCase(
            "slogdet",
            lambda x: F.slogdet(_regular(x))[1],
            lambda x: np.log(np.linalg.det(_shifted(x))),
            SQUARE,
        ),
        OpCase(
            "cholesky",
            lambda x: F.cholesky(_definite(x)) + F.sum(x),
            lambda x: np.linalg.cholesky(_symmetric(x)) + x.sum(),
            SQUARE,
        ),
        OpCase(
            "cholesky upper",
            lambda x: F.cholesky(_definite(x), upper=True) * F.sum(x),
            lambda x: np.swapaxes(np.linalg.cholesky(_symmetric(x)), -1, -2) * x.sum(),
            SQUARE[:2],
        ),
        OpCase("qr", _mixed_qr, _mixed_qr_reference, RECTANGLES[:2]),
        OpCase("svd", _cubed, _cubed_reference, RECTANGLES),
        OpCase("eigh", _root, _root_reference, SQUARE[:2]),
    ]


def _regular(x: Variable) -> Variable:
    """Return ``x`` plus 7, 14, ... on the diagonal: invertible, with distinct singular values."""
    return x + F.tril(F.triu(F.cumulative_sum(x * 0 + 7, -1)))


def _definite(x: Variable) -> Variable:
    """Return a symmetric positive definite matrix with distinct eigenvalues."""
    return _regular(x) + F.matrix_transpose(_regular(x))


def _shifted(x: HostArray) -> Any:
    *_, m, n = x.shape
    return x + 7 * np.eye(m, n, dtype=x.dtype) * np.arange(1, n + 1, dtype=x.dtype)


def _symmetric(x: HostArray) -> Any:
    return _shifted(x) + np.swapaxes(_shifted(x), -1, -2)


def _mixed_qr(x: Variable) -> Any:
    q, r = F.qr(x)
    return F.matmul(q * q, F.exp(r))


def _mixed_qr_reference(x: HostArray) -> Any:
    q, r = np.linalg.qr(x)
    return (q * q) @ np.exp(r)


def _cubed(x: Variable) -> Any:
    """Return ``y y^T y`` for a regular y, with the third powers of its singular values."""
    u, s, vh = F.svd(_regular(x), full_matrices=False)
    return F.matmul(u * F.expand_dims(s**3, -2), vh)


def _cubed_reference(x: HostArray) -> Any:
    y = _shifted(x)
    return y @ np.swapaxes(y, -1, -2) @ y


def _root(x: Variable) -> Any:
    """Return the square root of a symmetric matrix, with the square roots of its eigenvalues."""
    w, v = F.eigh(_definite(x))
    return F.matmul(v * F.expand_dims(F.sqrt(w), -2), F.matrix_transpose(v))


def _root_reference(x: HostArray) -> Any:
    w, v = np.linalg.eigh(_symmetric(x))
    return (v * np.sqrt(w)[..., None, :]) @ np.swapaxes(v, -1, -2)
