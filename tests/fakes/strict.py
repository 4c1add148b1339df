"""array-api-strict as a backend: API 2024.12, on a device that is not the host, frozen.

Its arrays cannot be written to: ``__setitem__`` and in-place operators raise while `frozen`
is in force, which the root conftest.py sees to for every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import array_api_strict as xp
import numpy as np

from dezero_core.extend import ArrayBackend, BackendSpec, hookimpl

DEZERO_API = 1
CPU, DEVICE = xp.Device("CPU_DEVICE"), xp.Device("device1")
xp.set_array_api_strict_flags(api_version="2024.12")


class StrictBackend(ArrayBackend):
    """Everything as the standard has it; only the way to and from the host is its own."""

    def __init__(self) -> None:
        super().__init__(xp)

    def asarray(self, x: Any) -> Any:
        return xp.asarray(x, device=DEVICE)

    def from_numpy(self, x: Any) -> Any:
        return xp.asarray(np.array(x), device=DEVICE)

    def to_numpy(self, x: Any) -> Any:
        return np.array(x.to_device(CPU))


@hookimpl
def dezero_backends() -> list[BackendSpec]:
    return [BackendSpec("strict", ("array_api_strict._array_object:Array",), StrictBackend)]


@contextmanager
def frozen() -> Iterator[None]:
    """Nobody writes to an array, and nobody takes one out by DLPack."""

    def refuse(name: str) -> Any:
        def refused(self: Any, *arguments: Any) -> Any:
            raise TypeError(f"array-api-strict arrays are frozen here: {name}")

        return refused

    names = "setitem iadd isub imul itruediv ifloordiv imod ipow iand ior ixor imatmul dlpack"
    dunders = [f"__{name}__" for name in names.split()]
    array_type = type(xp.asarray(0.0))
    with patch.multiple(array_type, **{name: refuse(name) for name in dunders}):
        yield
