"""The facade: the book's names, and nothing heavy at import."""

import subprocess
import sys

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Variable, cuda


def test_everything_listed_is_there() -> None:
    modules = [dezero, dezero.core, F, L, dezero.models, dezero.optimizers, dezero.datasets]
    modules += [dezero.functions_conv, dezero.transforms, dezero.utils, dezero.dataloaders]
    for module in [*modules, cuda]:
        assert all(hasattr(module, name) for name in module.__all__), module.__name__


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


def test_import_is_light() -> None:
    code = """
import sys, dezero
heavy = "cupy matplotlib PIL sklearn rich click dezero_cuda".split()
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


def test_gpu_enable_is_false_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from dezero_core.errors import DeviceError

    def none() -> None:
        raise DeviceError("no driver")

    monkeypatch.setattr(cuda, "accelerator", none)
    assert cuda.gpu_enable is False
