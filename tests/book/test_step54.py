"""Test step 54, dropout and the test mode."""

import numpy as np
import pytest

import dezero
import dezero.functions as F
from dezero import Config, Variable, cuda, test_mode, using_config

RATIO = 0.6


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    np.random.seed(0)


def direct(x):
    mask = np.random.rand(*x.shape) > RATIO
    return x * mask


def inverted(x):
    scale = 1 - RATIO
    mask = np.random.rand(*x.shape) > RATIO
    return x * mask / scale


def test_direct_dropout() -> None:
    x = np.ones(10)
    passed = [int(direct(x).sum()) for _ in range(2000)]
    assert abs(np.mean(passed) - 4) < 0.1, "four of ten neurons pass on average"
    assert len(set(passed)) > 1
    scale = 1 - RATIO
    np.testing.assert_allclose(x * scale, 0.4)


def test_inverted_dropout() -> None:
    y = inverted(np.ones(10))
    assert set(y.round(9).tolist()) <= {0.0, 2.5}


def test_direct_and_inverted_dropout_have_the_same_expectation() -> None:
    """Compare the means in training and in testing; their ratio is 1 for both forms."""
    x = np.linspace(0.5, 2.0, 10)
    xs = np.tile(x, (20000, 1))
    directly = np.mean(direct(xs), axis=0) / (x * (1 - RATIO))
    ours = np.mean(F.dropout(xs, RATIO).data, axis=0) / x
    by_hand = np.mean(inverted(xs), axis=0) / x
    for ratio in (directly, ours, by_hand):
        np.testing.assert_allclose(ratio, 1, atol=0.05)  # five standard deviations
    with test_mode():
        assert np.array_equal(F.dropout(x, RATIO).data, x)


def test_test_mode() -> None:
    assert Config.train
    with test_mode():
        assert not Config.train
    assert Config.train
    with using_config("train", False):
        assert not Config.train
    assert Config.train
    with (
        pytest.raises(dezero.DezeroError, match="no setting 'trian'"),
        using_config("trian", False),
    ):
        pass


def test_dropout(copies) -> None:
    for xp in (np, cuda.cupy):
        x = xp.ones(5)
        y = F.dropout(x)
        assert isinstance(y, Variable)
        assert set(cuda.as_numpy(y).tolist()) <= {0.0, 2.0}
        assert cuda.get_array_module(y) is xp
        with test_mode():
            y = F.dropout(x)
            assert cuda.as_numpy(y).tolist() == [1.0] * 5
    assert copies.look() == (0, 2), "the two looks at results; the mask is drawn on the device"
    many = F.dropout(np.ones(10000)).data
    assert abs((many == 0).mean() - 0.5) < 0.03
    assert dezero.Config.train
