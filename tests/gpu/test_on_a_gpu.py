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
from dezero_nn.windows import ConvParams

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


PRECISIONS = {"float32": 1e-5, "tf32": 5e-3, "bf16": 5e-2}
"""The maximum error in each precision, relative to the largest result."""


def close(found: object, wanted: np.ndarray, tolerance: float) -> None:
    error = np.abs(cuda.as_numpy(found) - wanted).max()
    assert error <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("name", PRECISIONS)
def test_cublas_multiplies_in_each_precision(name: str) -> None:
    random = np.random.default_rng(0)
    x, W = random.standard_normal((2, 3, 64, 96)), random.standard_normal((3, 32, 96))
    there = [on_device(a.astype("float32")) for a in (x, W)]
    with kernel_log() as ran, dezero.precision(name):
        y = ops["matmul"](there[0], there[1].swapaxes(1, 2))
    assert ran[0].kernel == "cuda:products_matmul", ran[0]
    close(y, x @ W.swapaxes(1, 2), PRECISIONS[name])


@pytest.mark.parametrize("name", PRECISIONS)
@pytest.mark.parametrize("groups", [1, 2])
def test_cudnn_has_plans_for_convolutions_and_their_gradients(name: str, groups: int) -> None:
    """This test needs a driver, because it builds the plans of `dezero_cuda.plans`."""
    random = np.random.default_rng(0)
    params = ConvParams((2, 2), (1, 1), (1, 1), groups)
    x, gy = random.standard_normal((8, 16, 14, 14)), random.standard_normal((8, 32, 7, 7))
    W, b = random.standard_normal((32, 16 // groups, 3, 3)), random.standard_normal(32)
    calls = {
        "conv2d": (x, W, b, params),
        "conv2d_grad_x": (gy, W, x.shape, params),
        "conv2d_grad_W": (x, gy, (3, 3), params),
    }
    for op, call in calls.items():
        there = [on_device(a.astype("float32")) if isinstance(a, np.ndarray) else a for a in call]
        with kernel_log() as ran, dezero.precision(name):
            first, again = ops[op](*there), ops[op](*there)
        log = next(run for run in ran if run.op == op)
        assert log.kernel == f"cuda:convolutions_{op}", log
        close(first, ops[op].portable(*call), PRECISIONS[name])
        np.testing.assert_array_equal(cuda.as_numpy(first), cuda.as_numpy(again))


def test_cudnn_computes_attention_in_bfloat16() -> None:
    random = np.random.default_rng(0)
    arrays = [random.standard_normal((2, 4, 64, 32)) for _ in range(3)]
    found = []
    for backend in ("numpy", "cuda"):
        x = [Variable(a.astype("float32")).to(backend) for a in arrays]
        with kernel_log() as ran, dezero.precision("bf16"):
            y = F.scaled_dot_product_attention(*x, causal=True)
            F.sum(y * y).backward()
        found.append([y, *[v.grad for v in x]])
    kernels = [run.kernel for run in ran if run.op.startswith("attention")]
    assert kernels == ["cuda:attention_attention", "cuda:attention_attention_grad"]
    for wanted, there in zip(*found, strict=True):
        close(there.data, cuda.as_numpy(wanted), 3e-2)
