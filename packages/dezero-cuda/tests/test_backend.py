"""Test memory figures and exchange with other libraries."""

from typing import Any

import cupy
import numpy as np
import pytest

from dezero_core import Variable, from_dlpack
from dezero_core import functions as F
from dezero_core.errors import OutOfMemory, UnsupportedType
from dezero_core.extend import backend_of, get_backend


def on_device(x: Any) -> Variable:
    return Variable(get_backend("cuda").from_numpy(x))


def test_memory_returns_bytes() -> None:
    memory = get_backend("cuda").memory()
    assert memory == (3 << 20, 1 << 20, 60 << 20, 64 << 20)
    assert str(memory) == "3 MiB used, 1 MiB kept for new arrays, 60 MiB free, 64 MiB in all"
    assert get_backend("numpy").memory() is None


def test_out_of_memory_reports_the_memory_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **settings: Any) -> Any:
        raise MemoryError("Out of memory allocating 4,096 bytes")

    x = on_device(np.ones((2, 2), "float32"))
    y = F.exp(x)
    monkeypatch.setattr(cupy, "exp", full)
    with pytest.raises(OutOfMemory, match=r"Exp\(cupy.*\(2, 2\).*3 MiB used.*Smaller batches") as e:
        F.exp(x)
    assert isinstance(e.value, MemoryError)
    monkeypatch.undo()
    monkeypatch.setattr(cupy.ndarray, "__mul__", full)
    with pytest.raises(OutOfMemory, match=r"60 MiB free"):
        y.backward()
    assert x.grad is None


def test_a_full_host_raises_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> Any:
        raise MemoryError("no more")

    monkeypatch.setattr(np, "exp", full)
    with pytest.raises(MemoryError, match="no more") as caught:
        F.exp(Variable(np.ones(2)))
    assert not isinstance(caught.value, OutOfMemory)


def test_arrays_are_shared_with_other_libraries() -> None:
    x = Variable(np.arange(3.0))
    assert np.shares_memory(np.from_dlpack(x), x.data)
    y = from_dlpack(x.data)
    assert np.shares_memory(y.data, x.data) and not y.requires_grad
    with pytest.raises(UnsupportedType, match="list has no __dlpack__"):
        from_dlpack([1.0])
    assert not hasattr(x, "__cuda_array_interface__")

    class OnTheDevice:
        _host = np.ones(2)

        def __dlpack__(self) -> None: ...
        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 0)

    assert backend_of(from_dlpack(OnTheDevice()).data).name == "cuda"
