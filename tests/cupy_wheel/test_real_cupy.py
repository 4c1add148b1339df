"""The real CuPy wheel on a machine without a GPU: `hatch run cupy:check`.

What the stand-in cannot show: that nothing imports CuPy too early, that a machine without a
driver is told so in a sentence, and that nothing appears on stderr meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

cupy = pytest.importorskip("cupy", reason="the real CuPy wheel is in the environment cupy")
without_gpu = pytest.mark.skipif(cupy.cuda.is_available(), reason="this machine has a GPU")


def fresh(code: str) -> str:
    """What a fresh interpreter prints; nothing may appear on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_it_is_the_real_one() -> None:
    assert cupy.__version__.split(".")[0] == "14"
    assert "fakes" not in cupy.__file__


def test_nothing_imports_cupy_before_it_is_needed() -> None:
    code = """
import sys, numpy as np, dezero
import dezero.functions as F
from dezero.models import MLP
model = MLP((3, 2))
F.softmax_cross_entropy(model(np.ones((2, 4), "float32")), np.array([0, 1])).backward()
from dezero_core.extend import backend_names
print("cupy" in sys.modules, "cuda" in backend_names())
"""
    assert fresh(code) == "False True\n"


@without_gpu
def test_a_machine_without_a_driver_is_told_so() -> None:
    code = """
import numpy as np, dezero
from dezero.models import MLP
print(dezero.cuda.is_available(), dezero.cuda.gpu_enable, dezero.cuda.device_count())
for ask in (dezero.Variable(np.ones(2)).to_gpu, MLP((2,), in_size=3).to_gpu, dezero.cuda.memory,
            lambda: dezero.DataLoader(dezero.datasets.Spiral(), 10, gpu=True)):
    try:
        ask()
    except dezero.DezeroError as error:
        print(type(error).__name__, "no NVIDIA driver" in str(error), f"(CuPy " in str(error))
"""
    assert fresh(code).splitlines() == ["False False 0", *["DeviceError True True"] * 4]


@without_gpu
def test_the_diagnosis_says_what_there_is() -> None:
    done = subprocess.run([sys.executable, "-m", "dezero_cuda"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == ""
    assert f"CuPy                  {cupy.__version__}" in done.stdout
    assert "CUDA of the driver    no driver" in done.stdout
    assert "usable                no: there is no NVIDIA driver on this machine" in done.stdout


@without_gpu
def test_arrays_of_the_host_are_left_to_numpy() -> None:
    code = """
import numpy as np, cupy
from dezero_core.extend import backend_of
print(backend_of(np.ones(1)).name, cupy.get_array_module(np.ones(1)).__name__)
"""
    assert fresh(code) == "numpy numpy\n"


def test_what_the_backend_calls_exists_in_the_wheel() -> None:
    for name in (
        "asarray asnumpy result_type arange zeros add pad lib concat permute_dims matrix_transpose "
        "astype isdtype from_dlpack get_default_memory_pool get_default_pinned_memory_pool log1p"
    ).split():
        assert hasattr(cupy, name), name
    assert hasattr(cupy.add, "at") and hasattr(cupy.lib.stride_tricks, "as_strided")
    assert hasattr(cupy.cuda.runtime, "memGetInfo") and hasattr(cupy.random, "default_rng")
    assert version("dezero-cuda")
