"""Test two devices: every op runs on the device of its arrays, not on the current one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cupy
import numpy as np
import pytest

from dezero_core import Variable, grad
from dezero_core import functions as F
from dezero_core.backends import registry
from dezero_core.errors import BackendMismatch
from dezero_core.extend import backend_of, get_backend
from dezero_core.state import match_device


def forget_backends() -> None:
    """Drop the backends and the caches of their types, so that the devices are found again."""
    for cache in (registry.by_type, registry._subclasses, registry.current_device, registry._made):
        cache.clear()


@pytest.fixture(autouse=True)
def two_devices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "2")
    forget_backends()
    yield
    forget_backends()


def on_second(x: Any) -> Variable:
    with cupy.cuda.Device(1):
        return Variable(get_backend("cuda").from_numpy(np.asarray(x, "float32")))


def second(x: Any) -> bool:
    return bool(x.device.id == 1)


def test_ops_and_gradients_stay_on_their_device() -> None:
    assert cupy.cuda.Device().id == 0
    x = on_second([[1.0, 2.0], [3.0, 4.0]])
    y = F.sum(F.exp(x) * 2 + F.matmul(x, x)[[0, 0]])
    y.backward(create_graph=True)
    assert x.grad is not None and second(y.data) and second(x.grad.data)
    (gx,) = grad(F.sum(x.grad * x), [x])
    assert second(gx.data)
    assert cupy.cuda.Device().id == 0


@pytest.mark.parametrize("optimizer", ["SGD", "MomentumSGD", "Adam", "AdamW"])
def test_a_model_trains_on_the_second_device(optimizer: str) -> None:
    nn = pytest.importorskip("dezero_nn", reason="models are dezero-nn's")
    with cupy.cuda.Device(1):
        model = nn.CNN(3, (2, 3), 4).to_gpu()
        x, t = (
            get_backend("cuda").from_numpy(a)
            for a in (np.ones((6, 1, 8, 8), "float32"), np.arange(6) % 3)
        )
        model(x)  # sizes its layers
    steps = getattr(nn, optimizer)().setup(model)
    steps.add_hook(nn.ClipGrad(1.0))
    for _ in range(2):
        loss = nn.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        steps.update()
    assert second(loss.data) and all(second(p.data) for p in model.params())


def test_losses_and_samples_stay_on_their_device() -> None:
    nn = pytest.importorskip("dezero_nn.functions", reason="losses are dezero-nn's")
    x = on_second([[1.0, 2.0], [3.0, 4.0]])
    t, classes = (F.astype(on_second(a), "int64") for a in ([0, 1], [[1], [1]]))
    results = [
        nn.cross_entropy(x, t),
        nn.cross_entropy(x, t, x[0], label_smoothing=0.1),
        nn.cross_entropy(x, t, ignore_index=1, reduction="none"),
        nn.cross_entropy(x, x),
        nn.nll_loss(x, t),
        nn.ctc_loss(x.reshape(2, 1, 2), classes[:1], [2], [1]),
        nn.binary_cross_entropy_with_logits(x, x, x.data, pos_weight=x.data),
        nn.gumbel_softmax(x, hard=True),
        nn.prelu(x, x[0]),
    ]
    for y in results:
        F.sum(y).backward()
        assert second(y.data) and x.grad is not None and second(x.grad.data)
        x.cleargrad()
    samples = [nn.multinomial(x), nn.multinomial(x, 9, replacement=True), nn.bernoulli(x / 4)]
    assert all(second(y.data) for y in (*samples, nn.one_hot(t), nn.dropout2d(x[..., None, None])))


def test_arrays_of_two_devices_are_refused() -> None:
    x, y = on_second([1.0]), Variable(get_backend("cuda").from_numpy(np.ones(1, "float32")))
    with pytest.raises(BackendMismatch, match=r"Add got .*Device 1.*Device 0.*move its inputs"):
        x + y
    assert second(match_device(y.data, x.data)) and second(match_device(np.ones(1), x.data))


@pytest.mark.slow
def test_the_conformance_kit_passes_on_two_devices(tmp_path: Path) -> None:
    """The kit runs on the first device; its check of several devices is not skipped."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs"]
    command += [
        "dezero_testing.conformance",
        "--dezero-backend",
        "cuda",
        "-k",
        "(arrays or optimizers) and not beyond",
    ]
    fakes = str(Path(cupy.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": fakes}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "does not apply" in done.stdout and " skipped" not in done.stdout.splitlines()[-1]


def test_a_single_device_is_never_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "1")
    forget_backends()
    assert backend_of(cupy.asarray([1.0])).on_device is None
    assert not registry.current_device
