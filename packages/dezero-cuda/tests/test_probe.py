"""Test every reason why no GPU can be used, on the stand-in for CuPy."""

import sys
from typing import Any

import cupy
import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import DeviceError, MissingPackage
from dezero_core.extend import backend_of, get_backend, plugins
from dezero_cuda import __main__ as diagnosis
from dezero_cuda import is_available, probe, why_unavailable
from dezero_cuda.plugin import make_backend

RUNTIME = cupy.cuda.runtime


@pytest.fixture(autouse=True)
def _ask_again() -> Any:
    why_unavailable.cache_clear()
    yield
    why_unavailable.cache_clear()


def fails_with(text: str) -> Any:
    def fail() -> int:
        raise RUNTIME.CUDARuntimeError(text)

    return staticmethod(fail)


def no_device(monkeypatch: Any, driver: int, count: Any) -> None:
    monkeypatch.setattr(cupy.cuda, "is_available", lambda: False)
    monkeypatch.setattr(RUNTIME, "driverGetVersion", staticmethod(lambda: driver))
    monkeypatch.setattr(RUNTIME, "getDeviceCount", count)


def test_a_device_makes_the_backend_available() -> None:
    assert is_available()
    assert why_unavailable() == ""
    x = Variable(np.ones(2, "float32")).to_gpu()
    assert backend_of(x.data).name == "cuda"
    assert float((x * 2).sum()) == 4.0


REASONS = {
    "no driver": (0, fails_with("cudaErrorInsufficientDriver"), "no NVIDIA driver on this machine"),
    "old driver": (
        11040,
        fails_with("cudaErrorInsufficientDriver: too old"),
        r"driver is too old: it supports CUDA 11.4, CuPy was built for 13.2",
    ),
    "no device": (
        13000,
        fails_with("cudaErrorNoDevice: no CUDA-capable device"),
        r"shows 0 devices \(CUDA_VISIBLE_DEVICES is '7'\)",
    ),
    "hidden": (13000, staticmethod(lambda: 0), r"shows 0 devices"),
    "other": (13000, fails_with("cudaErrorUnknown"), "CUDA says: cudaErrorUnknown"),
}


@pytest.mark.parametrize("case", REASONS)
def test_the_reason_for_no_device(case: str, monkeypatch: Any) -> None:
    driver, count, message = REASONS[case]
    no_device(monkeypatch, driver, count)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert not is_available()
    with pytest.raises(DeviceError, match=message) as caught:
        make_backend()
    assert isinstance(caught.value, RuntimeError)
    assert "python -m dezero_cuda" in str(caught.value)
    assert "CuPy 14" in str(caught.value)


def test_cupy_is_not_installed(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(probe, "find_spec", lambda name: None)
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"CuPy is not installed: pip install 'dezero-cuda"):
        make_backend()
    assert diagnosis.main() == 1
    assert "no: CuPy is not installed" in capsys.readouterr().out


def test_cupy_is_broken(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(probe, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "installed but does not work: ModuleNotFoundError" in why_unavailable()
    assert diagnosis.main() == 1
    assert "does not work" in capsys.readouterr().out


def test_the_diagnosis(capsys: Any, monkeypatch: Any) -> None:
    assert diagnosis.main() == 0
    printed = capsys.readouterr().out
    assert "a pretended device" in printed and "called by CuPy" in printed
    assert printed.splitlines()[-1].split() == ["usable", "yes"]
    why_unavailable.cache_clear()
    no_device(monkeypatch, 0, fails_with("cudaErrorInsufficientDriver"))
    monkeypatch.setattr(cupy.cuda.nccl, "available", False)
    assert diagnosis.main() == 1
    printed = capsys.readouterr().out
    assert "no driver" in printed and "pip install 'nccl4py[cu13]'" in printed
    assert "no: there is no NVIDIA driver" in printed


def test_the_plugin_names_its_distribution() -> None:
    plugins.scan()
    status = next(s for s in plugins.statuses() if s.name == "cuda")
    assert status.distribution.startswith("dezero-cuda ")
    assert "accelerator" in get_backend("cuda").capabilities
