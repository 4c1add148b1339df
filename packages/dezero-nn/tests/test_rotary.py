"""Test rotary position embedding: relative positions, lengths, dtypes and bad arguments."""

import re
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_nn.functions import rotary

X = np.sin(np.arange(24.0)).reshape(3, 8)


@pytest.mark.parametrize("interleaved", [False, True])
def test_products_depend_on_the_difference_of_positions(interleaved: bool) -> None:
    q, k = X, X[::-1]

    def products(shift: int) -> Any:
        at = np.arange(3) + shift
        return (
            rotary(q, at, interleaved=interleaved) @ rotary(k, at, interleaved=interleaved).T
        ).data

    np.testing.assert_allclose(products(0), products(1000), 1e-9)
    assert not np.allclose(products(0), q @ k.T)


def test_lengths_of_rows_stay() -> None:
    np.testing.assert_allclose((rotary(X).data ** 2).sum(-1), (X**2).sum(-1))


def test_position_0_changes_nothing() -> None:
    np.testing.assert_array_equal(rotary(X).data[0], X[0])


def test_positions_of_each_sequence_broadcast() -> None:
    both = np.stack([X, X])[:, np.newaxis]  # (2, 1, 3, 8)
    y = rotary(both, np.array([[[0, 1, 2]], [[5, 6, 7]]]))
    np.testing.assert_array_equal(y.data[0, 0], rotary(X).data)
    np.testing.assert_array_equal(y.data[1, 0], rotary(X, np.array([5, 6, 7])).data)


def test_angles_at_far_positions_are_as_accurate_in_single_precision() -> None:
    at = np.array([10.0**6] * 3)
    single = rotary(X.astype("float32"), at)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.data, rotary(X, at).data, atol=1e-6)


def test_half_precision_stays() -> None:
    y = rotary(X.astype("float16"))
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.data, rotary(X).data, atol=2e-3)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"x": X[:, :7]}, ShapeError, "x (3, 7); expected (..., T, D) with an even D"),
    ({"x": X[0]}, ShapeError, "x (8,)"),
    ({"positions": np.arange(4)}, ShapeError, "positions (4,) do not broadcast to (3,)"),
    ({"base": 0}, ArgumentError, "base 0 is not above 0"),
    ({"base": "10"}, ArgumentTypeError, "base '10' (str): expected a number"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        rotary(**{"x": X, **arguments})
