"""Group and instance normalisation: special cases and bad input."""

import numpy as np
import pytest

from dezero_core.errors import ArgumentError, ShapeError
from dezero_nn import functions as F

X = np.random.default_rng(0).normal(size=(2, 6, 4, 3))
ONES = np.ones(6)


def test_one_group_normalises_each_example_and_one_channel_a_group_each_channel() -> None:
    y = F.group_norm(X + 5.0, 1, eps=0.0).data.reshape(2, -1)
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=1), 1)
    np.testing.assert_allclose(F.group_norm(X, 6).data, F.instance_norm(X).data)


def test_half_precision_is_computed_in_single_precision() -> None:
    x = (1000 * X).astype("float16")
    y = F.group_norm(x, 2, ONES.astype("float16"))
    assert y.dtype == "float16"
    expected = F.group_norm(x.astype("float64"), 2).data
    np.testing.assert_allclose(y.data.astype("float64"), expected, rtol=2e-3, atol=2e-3)


def test_one_element_per_group_gives_beta() -> None:
    assert F.group_norm(np.full((1, 2), 7.0), 2, np.ones(2), np.full(2, 3.0)).data.tolist() == [
        [3.0, 3.0]
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.group_norm(X, 4), r"group_norm: x \(2, 6, 4, 3\), num_groups 4: .* multiple"),
        (lambda: F.group_norm(X, 0), "num_groups 0 is below 1"),
        (lambda: F.group_norm(X, 2, ONES[:5]), r"group_norm: gamma \(5,\) .* expected \(6,\)"),
        (lambda: F.group_norm(X, 2, ONES, ONES[:5]), r"beta \(5,\)"),
        (lambda: F.group_norm(ONES, 2), r"group_norm: x \(6,\)"),
        (lambda: F.instance_norm(X[0, 0]), r"instance_norm: x \(4, 3\): expected \(N, C, ...\)"),
        (lambda: F.local_response_norm(X, 0), "size 0 is below 1"),
        (lambda: F.local_response_norm(X[0, 0], 2), "at least three axes"),
    ],
)
def test_bad_input_is_explained(call, message: str) -> None:
    with pytest.raises((ShapeError, ArgumentError), match=message):
        call()
