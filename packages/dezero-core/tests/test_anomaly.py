"""Test that detect_anomaly reports the first NaN, and that no gradient is stored."""

import threading

import numpy as np
import pytest

from dezero_core import Function, Variable, detect_anomaly
from dezero_core import functions as F
from dezero_core.errors import AnomalyError
from dezero_core.extend import get_backend


def test_the_first_nan_of_the_forward_is_named(backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(np.array([4.0, -1.0])), name="speed")
    with np.errstate(invalid="ignore"):
        y = F.sum(F.exp(F.sqrt(x - 1.0) * 2))
    message = r"computed by Sqrt \(call \d+\) of \(2,\) .*float64 from -2 to 3"
    with detect_anomaly(), pytest.raises(AnomalyError, match=message):
        y.backward()
    assert x.grad is None


def test_a_nan_of_the_backward_is_named() -> None:
    x = Variable(np.array([0.0, 1.0]), name="x")
    y = F.sum(F.sqrt(x) * 0.0)  # backward computes 0 * inf
    with np.errstate(all="ignore"), detect_anomaly():
        with pytest.raises(AnomalyError, match=r"input 0 is NaN, returned .* Sqrt .* of x \(2,\)"):
            y.backward(retain_graph=True)
    assert x.grad is None
    with np.errstate(all="ignore"):
        y.backward()
    assert np.isnan(x.grad.data[0])


def test_finite_gradients_pass_with_integers_and_scalars() -> None:
    x = Variable(np.array([1.0, np.inf]))
    with detect_anomaly():
        (x[np.array([0, 0])] * 2 + 1).backward()
    assert x.grad.data.tolist() == [4.0, 0.0]


def test_detection_is_off_in_other_threads() -> None:
    found = []

    def work() -> None:
        with np.errstate(all="ignore"):
            x = Variable(np.array([-1.0]))
            F.sqrt(x).backward()
            found.append(x.grad)

    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert np.isnan(found[0].data)


def test_a_nan_in_one_of_two_outputs_is_named() -> None:
    class Two(Function):
        def forward(self, x):
            return x, x * np.nan

        def backward(self, g0, g1):
            return g0 + g1

    x = Variable(np.array([1.0]))
    a, b = Two()(x)
    with detect_anomaly(), pytest.raises(AnomalyError, match="computed by Two"):
        (a + b).backward()
