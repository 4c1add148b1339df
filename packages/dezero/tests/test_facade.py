"""Test that the package has the book's names, and imports nothing heavy."""

import subprocess
import sys

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Variable, cuda, pytorch_names
from dezero_core import functions as core_functions
from dezero_nn import functions as nn_functions


def test_the_list_of_functions_is_complete() -> None:
    assert len(set(F.__all__)) == len(F.__all__), "two packages define the same name"
    aliases = {"batch_nrom", *pytorch_names.__all__}
    assert set(F.__all__) == {*aliases, *core_functions.__all__, *nn_functions.__all__}


def test_every_name_in_all_exists() -> None:
    modules = [dezero, dezero.core, F, L, dezero.models, dezero.optimizers, dezero.datasets]
    modules += [dezero.functions_conv, dezero.transforms, dezero.utils, dezero.dataloaders]
    modules += [dezero.initializers, dezero.core_simple]
    for module in [*modules, cuda, dezero.onnx, dezero.parallel]:
        assert all(hasattr(module, name) for name in module.__all__), module.__name__


def test_onnx_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dezero_onnx", None)
    with pytest.raises(dezero.onnx.MissingPackage, match="pip install dezero-onnx"):
        dezero.export_onnx(L.ReLU(), "m.onnx", x=((1,), "float32"))


def test_one_process_has_no_other_ranks() -> None:
    world = dezero.world()
    assert (world.rank, world.size) == (0, 1)


def test_the_books_first_program() -> None:
    x = Variable(np.array(2.0))
    y = F.sin(x) + x**2
    y.backward()
    np.testing.assert_allclose(x.grad.data, np.cos(2.0) + 4.0)


def test_the_books_training_loop() -> None:
    np.random.seed(0)  # noqa: NPY002 (as in the book)
    x = np.random.rand(100, 1)  # noqa: NPY002
    y = np.sin(2 * np.pi * x)
    model = dezero.models.MLP((10, 1))
    optimizer = dezero.optimizers.SGD(0.2).setup(model)
    losses = []
    for _ in range(200):
        difference = model(x) - y
        loss = F.sum(difference**2) / len(difference)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
    assert losses[-1] < 0.6 * losses[0]


def test_import_loads_no_heavy_package() -> None:
    code = """
import sys, dezero
heavy = "cupy matplotlib PIL sklearn rich click dezero_cuda dezero_onnx dezero_parallel".split()
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_cuda_module() -> None:
    assert cuda.gpu_enable is True, "the stand-in has a device"
    x = cuda.as_cupy(Variable(np.ones(2)))
    assert cuda.get_array_module(x).__name__ == "cupy"
    assert isinstance(cuda.as_numpy(x), np.ndarray)
    assert cuda.as_numpy(3.0).shape == ()
    assert cuda.cupy.__name__ == "cupy"
    assert type(x) is cuda.cupy.ndarray
    with pytest.raises(AttributeError):
        cuda.no_such_name


def test_the_device() -> None:
    pytest.importorskip("dezero_cuda", reason="the device is dezero-cuda's")
    assert cuda.is_available() and cuda.device_count() == 1
    assert cuda.memory().total == 64 << 20
    before = cuda.cupy._counts["pools emptied"]
    cuda.empty_cache()
    cuda.synchronize()
    assert cuda.cupy._counts["pools emptied"] == before + 2


def test_gpu_enable_is_false_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from dezero_core.errors import DeviceError

    def none() -> None:
        raise DeviceError("no driver")

    monkeypatch.setattr(cuda, "accelerator", none)
    assert cuda.gpu_enable is False
    assert not cuda.is_available() and cuda.device_count() == 0


def test_the_books_utils() -> None:
    from dezero import utils

    x = np.arange(6.0).reshape(2, 3)
    assert utils.sum_to(x, (1, 3)).tolist() == [[3.0, 5.0, 7.0]]
    np.testing.assert_allclose(utils.logsumexp(x), np.log(np.exp(x).sum(1, keepdims=True)))
    assert utils.reshape_sum_backward(Variable(np.ones(2)), x.shape, 1, False).shape == (2, 1)
    assert utils.reshape_sum_backward(Variable(np.ones(3)), x.shape, -2, False).shape == (1, 3)
    assert utils.max_backward_shape(x, (-1,)) == (2, 1)
    assert utils.get_conv_outsize(4, 3, 1, 1) == 4 and utils.get_deconv_outsize(4, 3, 2, 1) == 7
    assert utils.gradient_check(F.tanh, x) and utils.array_allclose(x, x)
    assert utils.pair(2) == (2, 2)
    assert utils.cache_dir.endswith("dezero")
    with pytest.raises(AttributeError):
        utils.no_such_name


def test_the_books_forms_of_im2col() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    cols = dezero.functions_conv.im2col_array(x, 2, 1, 0)
    assert type(cols) is np.ndarray and cols.shape == (9, 4)
    back = dezero.functions_conv.col2im_array(cols, x.shape, 2, 1, 0)
    assert type(back) is np.ndarray and back[0, 0, 1, 1] == 4 * x[0, 0, 1, 1]
    assert F.batch_nrom is F.batch_norm


def test_the_books_simple_core_has_gradients_that_are_arrays() -> None:
    assert dezero.is_simple_core is False
    assert dezero.setup_variable() is dezero.core_simple.setup_variable() is None
    x = dezero.core_simple.Variable(np.array([1.0, 2.0]), "x")
    for expected in ([4.0, 32.0], [8.0, 64.0]):
        (x**4).backward()
        assert type(x.grad) is np.ndarray and x.grad.tolist() == expected
    x.data -= 0.25 * x.grad
    assert type(x.data) is np.ndarray and x.data.tolist() == [-1.0, -14.0]
    x.cleargrad()
    assert x.grad is None and repr(x) == "variable([ -1. -14.])"
    y = x * 2
    y.grad = Variable(np.array([1.0, 3.0]))
    y.backward()
    assert x.grad.tolist() == [2.0, 6.0]
    x.grad = np.ones(2)
    assert x.grad.tolist() == [1.0, 1.0]
    assert isinstance(dezero.core_simple.as_variable(2.0).grad, type(None))


def test_the_books_function_of_the_simple_core() -> None:
    class Sin(dezero.core_simple.Function):
        def forward(self, x):
            return np.sin(x)

        def backward(self, gy):
            x = self.inputs[0].data
            return gy * np.cos(x)

    x = dezero.core_simple.Variable(np.array(0.5))
    with dezero.core_simple.using_config("enable_backprop", True):
        Sin()(x).backward()
    assert float(x.grad) == np.cos(0.5)
    with dezero.core_simple.no_grad():
        assert (x + 1).creator is None


def test_the_books_classes_of_ops_exist() -> None:
    x = dezero.Variable(np.ones((2, 3)))
    assert dezero.functions.Exp()(x).shape == (2, 3)
    assert float(dezero.functions.Sum(None, False)(x)) == 6
    assert float(dezero.core.rsub(dezero.core.rdiv(x[0, 0], 4.0), 1.0)) == -3
    assert isinstance((x + x).creator, dezero.core.Add)
