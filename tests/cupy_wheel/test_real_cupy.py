"""The real CuPy wheel on a machine without a GPU: `hatch run cupy:check`.

What the stand-in cannot show: that nothing imports CuPy too early, that a machine without a
driver is told so in a sentence, and that nothing appears on stderr meanwhile.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path

import pytest

cupy = pytest.importorskip("cupy", reason="the real CuPy wheel is in the environment cupy")

import dezero_cuda  # noqa: E402
from dezero_cuda.capture_memory import OUT_OF_MEMORY  # noqa: E402

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


def test_every_name_of_cupy_in_the_package_exists_in_the_wheel() -> None:
    texts = [path.read_text("utf-8") for path in Path(dezero_cuda.__file__).parent.rglob("*.py")]
    names = {name for text in texts for name in re.findall(r"\bcupy((?:\.[a-zA-Z_]\w*)+)", text)}
    assert len(names) > 30
    for name in names - {".cuda.nccl"}:  # a module, which is imported where it is used
        attrgetter(name[1:])(cupy)
    assert cupy.cuda.runtime.CUDARuntimeError(2).status == OUT_OF_MEMORY
    assert hasattr(cupy.add, "at") and version("dezero-cuda")
