"""The part of cupy.cuda that a probe and a backend use: one device always there, or several."""

from __future__ import annotations

import os
from typing import Any

from .graphs import (
    CUDARuntimeError,
    Graph,
    MemoryPool,
    Stream,
    get_current_stream,
    using_allocator,
)

__all__ = [
    "CUDARuntimeError",
    "Device",
    "Graph",
    "MemoryPool",
    "Stream",
    "get_current_stream",
    "is_available",
    "runtime",
    "using_allocator",
]

_current = [0]


class Device:
    """A pretended device, or the current one; there are FAKE_CUDA_DEVICES (default 1)."""

    def __init__(self, number: int | None = None) -> None:
        self.id = _current[-1] if number is None else number

    def __enter__(self) -> Device:
        _current.append(self.id)
        return self

    def __exit__(self, *details: Any) -> None:
        _current.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def synchronize(self) -> None:
        get_current_stream().synchronize()


def is_available() -> bool:
    return True


class runtime:
    """Version queries, as the real module of that name answers them."""

    CUDARuntimeError = CUDARuntimeError

    @staticmethod
    def getDeviceCount() -> int:
        return int(os.environ.get("FAKE_CUDA_DEVICES", "1"))

    @staticmethod
    def memGetInfo() -> tuple[int, int]:
        return 60 << 20, 64 << 20

    @staticmethod
    def driverGetVersion() -> int:
        return 13000

    @staticmethod
    def runtimeGetVersion() -> int:
        return 13020

    @staticmethod
    def getDeviceProperties(number: int) -> dict[str, Any]:
        return {"name": b"a pretended device", "totalGlobalMem": 0}
