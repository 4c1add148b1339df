"""What only a GPU can show: `python -m pytest -m gpu --noconftest tests/gpu`, with real CuPy.

The kit runs there by `pytest --pyargs dezero_testing.conformance --dezero-backend cuda`.
"""

from __future__ import annotations

import numpy as np
import pytest

import dezero
import dezero.functions as F
from dezero import DataLoader, Variable, cuda, optimizers
from dezero.models import CNN, MLP
from dezero_core.errors import OutOfMemory
from dezero_core.extend import get_backend, kernel_log, ops

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not cuda.is_available(), reason="no GPU: `python -m dezero_cuda` says why"),
]


def on_device(x: np.ndarray) -> object:
    return get_backend("cuda").from_numpy(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_run_on_the_device(dtype: str) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(3, 2, 9, 8)).astype(dtype)
    scores, t = random.normal(size=(5, 7)).astype(dtype), np.arange(5)
    window = ((3, 2), (2, 1), (1, 1))
    cols = ops["im2col"].portable(x, *window, (1, 1), 0.0)
    y, index = ops["max_pool2d"].portable(x, *window)
    calls = {
        "sigmoid": (x,),
        "relu_grad": (x, x[::-1].copy()),
        "softmax_cross_entropy": (scores, t),
        "softmax_cross_entropy_grad": (np.array(0.5, dtype), scores, t),
        "im2col": (x, *window, (1, 1), 0.0),
        "col2im": (np.ascontiguousarray(cols), x.shape, *window[1:], (1, 1)),
        "max_pool2d": (x, *window),
        "max_pool2d_grad": (y, index, x.shape, *window),
    }
    for op, given in calls.items():
        device = [on_device(a) if isinstance(a, np.ndarray) else a for a in given]
        with kernel_log() as ran:
            got = ops[op](*device)
        assert ran[0][:2] == (op, f"cuda:{op}")
        expected = ops[op].portable(*given)
        pairs = zip(got, expected, strict=True) if isinstance(got, tuple) else [(got, expected)]
        for found, wanted in pairs:
            np.testing.assert_allclose(cuda.as_numpy(found), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: MLP((50, 10), F.relu), lambda: CNN(10, (4, 8), 32, 0.0)])
def test_losses_on_host_and_device_go_side_by_side(make) -> None:
    curves = []
    for device in (False, True):
        dezero.seed(0)
        model = make()
        optimizer = optimizers.SGD(0.1).setup(model)
        batches = DataLoader(dezero.datasets.Digits(), 100)
        if device:
            model.to_gpu()
            batches.to_gpu()
        losses = []
        for _ in range(2):
            for x, t in batches:
                x = x if isinstance(model, MLP) else x.reshape(-1, 1, 8, 8)
                loss = F.softmax_cross_entropy(model(x), t)
                model.cleargrads()
                loss.backward()
                optimizer.update()
                losses.append(float(loss))
        curves.append(losses)
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-2)


def test_a_full_device_says_so_and_goes_on() -> None:
    before = cuda.memory()
    count = before.total // 4  # four times what there is
    with pytest.raises(OutOfMemory, match="the device is full"):
        F.broadcast_to(Variable(on_device(np.ones(1))), (count,)) * 2.0
    assert float(F.sum(Variable(on_device(np.ones(3))))) == 3.0


def test_tensors_are_shared_with_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = Variable(on_device(np.arange(3.0, dtype="float32")))
    tensor = torch.from_dlpack(x)
    tensor += 1
    assert cuda.as_numpy(x).tolist() == [1, 2, 3]
    assert cuda.as_numpy(dezero.core.from_dlpack(tensor)).tolist() == [1, 2, 3]
