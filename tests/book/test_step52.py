"""Test step 52, GPUs, on a strict stand-in for CuPy; each test counts its copies."""

import subprocess
import sys

import numpy as np
import pytest

import dezero
import dezero.functions as F
from dezero import DataLoader, Function, Layer, Parameter, Variable, as_array, cuda, optimizers
from dezero.models import MLP


def test_device_arrays_behave_like_numpys(copies) -> None:
    cp = cuda.cupy
    x = cp.arange(6).reshape(2, 3)
    y = x.sum(axis=1)
    assert copies.look() == (0, 0)
    assert str(x) == "[[0 1 2]\n [3 4 5]]"
    assert str(y) == "[ 3 12]"
    assert copies.look() == (0, 2), "printing copies"


def test_arrays_move_to_the_device_and_back(copies) -> None:
    cp = cuda.cupy
    n = np.array([1, 2, 3])
    c = cp.asarray(n)
    assert type(c) is cp.ndarray
    assert copies.look() == (1, 0)
    c = cp.array([1, 2, 3])
    n = cp.asnumpy(c)
    assert type(n) is np.ndarray
    assert copies.look() == (1, 1)
    assert c.get().tolist() == [1, 2, 3]
    assert copies.look() == (0, 1), "get counts too"


def test_array_modules(copies) -> None:
    assert cuda.gpu_enable
    x, c = np.ones(2), cuda.cupy.ones(2)
    assert cuda.get_array_module(x) is np
    assert cuda.get_array_module(Variable(x)) is np
    assert cuda.get_array_module(c) is cuda.cupy
    assert cuda.get_array_module(Variable(c)) is cuda.cupy
    assert copies.look() == (0, 0)


def test_as_numpy(copies) -> None:
    x, c = np.ones(2), cuda.cupy.ones(2)
    assert cuda.as_numpy(x) is x
    assert cuda.as_numpy(Variable(x)) is x
    assert type(cuda.as_numpy(2.5)) is np.ndarray
    assert copies.look() == (0, 0)
    assert type(cuda.as_numpy(c)) is type(cuda.as_numpy(Variable(c))) is np.ndarray
    assert copies.look() == (0, 2)


def test_as_cupy(copies) -> None:
    x, c = np.ones(2), cuda.cupy.ones(2)
    assert type(cuda.as_cupy(x)) is type(cuda.as_cupy(Variable(x))) is cuda.cupy.ndarray
    assert copies.look() == (2, 0)
    assert cuda.as_cupy(c) is c
    assert copies.look() == (0, 0)


def test_without_the_stand_in_gpu_enable_says_whether_as_cupy_works() -> None:
    code = """
import numpy as np, dezero
try:
    dezero.cuda.as_cupy(np.ones(2))
    print(dezero.cuda.gpu_enable is True)
except (ImportError, RuntimeError) as error:
    print(dezero.cuda.gpu_enable is False and isinstance(error, dezero.DezeroError))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_variables_on_host_and_device(copies) -> None:
    for xp in (np, cuda.cupy):
        x = Variable(xp.ones((2, 3)))
        y = x * x
        y.backward()
        assert cuda.get_array_module(x.grad) is xp, "the gradient starts as ones of that kind"
    assert copies.look() == (0, 0)
    with pytest.raises(TypeError, match="is not supported"):
        Variable([1.0])


def test_a_variable_moves(copies) -> None:
    x = Variable(np.array([1.0, 2.0]))
    x.to_gpu()
    assert type(x.data) is cuda.cupy.ndarray
    assert copies.look() == (1, 0)
    x.to_gpu()
    assert copies.look() == (0, 0), "it is there already"
    x.to_cpu()
    assert x.data.tolist() == [1.0, 2.0]
    assert copies.look() == (0, 1)
    nothing = Variable(None)
    nothing.to_gpu()
    nothing.to_cpu()
    assert copies.look() == (0, 0)


def test_a_layer_moves(copies) -> None:
    layer = Layer()
    layer.p, layer.q = Parameter(np.ones(2)), Parameter(np.ones(3))
    layer.to_gpu()
    assert {type(p.data) for p in layer.params()} == {cuda.cupy.ndarray}
    assert copies.look() == (2, 0)
    layer.to_cpu()
    assert {type(p.data) for p in layer.params()} == {np.ndarray}
    assert copies.look() == (0, 2)


def test_a_loader_moves(copies) -> None:
    pairs = [(np.full(4, i, "float32"), i) for i in range(10)]
    loader = DataLoader(pairs, 4, shuffle=False, gpu=True)
    assert loader.max_iter == 3
    kinds = [(type(x), type(t), len(x)) for x, t in loader]
    assert kinds == [(cuda.cupy.ndarray, cuda.cupy.ndarray, n) for n in (4, 4, 2)]
    assert copies.look() == (6, 0), "examples and labels, three times"
    loader.to_cpu()
    assert {type(a) for batch in loader for a in batch} == {np.ndarray}
    assert copies.look() == (0, 0)
    loader.to_gpu()
    next(iter(loader))
    assert copies.look() == (2, 0)


class Sin(Function):
    def forward(self, x):
        xp = cuda.get_array_module(x)
        return xp.sin(x)

    def backward(self, gy):
        (x,) = self.inputs
        return gy * F.cos(x)


def test_sin_by_array_module(copies) -> None:
    host = np.array([0.0, 1.0, 2.0])
    for xp in (np, cuda.cupy):
        x = Variable(xp.asarray(host))
        copies.look()
        y = Sin()(x)
        y.backward()
        assert cuda.get_array_module(y) is xp
        assert copies.look() == (0, 0)
        np.testing.assert_array_equal(cuda.as_numpy(y), np.sin(host))
        np.testing.assert_array_equal(cuda.as_numpy(x.grad), np.cos(host))


def test_as_array(copies) -> None:
    assert type(as_array(1.0)) is np.ndarray
    assert type(as_array(1.0, np)) is np.ndarray
    assert copies.look() == (0, 0)
    assert type(as_array(1.0, cuda.cupy)) is cuda.cupy.ndarray
    assert copies.look() == (1, 0)
    x = cuda.cupy.ones(2)
    assert as_array(x, np) is x


def test_arithmetic_with_scalars(copies) -> None:
    x = Variable(cuda.cupy.ones(3, dtype="float32"))
    copies.look()
    ys = [x + 1, 1 + x, x * 2, 2 * x, x - 1, 3 - x, x / 2, 2 / x, -x, x**2, F.add(x, 1.0)]
    assert {type(y.data) for y in ys} == {cuda.cupy.ndarray}
    assert {str(y.dtype) for y in ys} == {"float32"}
    sum(ys[1:], ys[0]).backward()
    assert copies.look() == (0, 0)
    assert cuda.as_numpy(x.grad).tolist() == [1 + 1 + 2 + 2 + 1 - 1 + 0.5 - 2 - 1 + 2 + 1] * 3


def test_mnist_on_the_device(few_digits, copies, capsys) -> None:
    max_epoch = 2
    batch_size = 100

    train_set = dezero.datasets.MNIST(train=True)
    train_loader = DataLoader(train_set, batch_size)
    model = MLP((1000, 10))
    optimizer = optimizers.SGD().setup(model)

    assert cuda.gpu_enable
    train_loader.to_gpu()
    model.to_gpu()
    assert copies.look() == (4, 0), "the two biases; all images and labels, which fit"

    losses = []
    for _ in range(max_epoch):
        sum_loss = 0
        for x, t in train_loader:
            y = model(x)
            loss = F.softmax_cross_entropy(y, t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            sum_loss += float(loss.data) * len(t)
        losses.append(sum_loss / len(train_set))
    first_weights, steps = 2, 2 * 10
    assert copies.look() == (first_weights + steps, steps), "indices there, losses back"
    assert losses[1] < losses[0] < 2.4
