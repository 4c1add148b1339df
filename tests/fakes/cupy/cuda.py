"""The part of cupy.cuda that a probe and a backend use: one device always there, or several."""

from __future__ import annotations

import os
from typing import Any

from . import nccl
from .graphs import (
    CUDARuntimeError,
    Event,
    Graph,
    Memory,
    MemoryPointer,
    MemoryPool,
    Stack,
    Stream,
    get_current_stream,
    using_allocator,
)

__all__ = [
    "CUDARuntimeError",
    "Device",
    "Event",
    "Graph",
    "Memory",
    "MemoryPointer",
    "MemoryPool",
    "Stream",
    "get_current_stream",
    "is_available",
    "nccl",
    "runtime",
    "using_allocator",
]

_current = Stack(lambda: 0)


class Device:
    """A pretended device, or the current one; there are FAKE_CUDA_DEVICES (default 1)."""

    def __init__(self, number: int | None = None) -> None:
        self.id = _current.top if number is None else number

    def __enter__(self) -> Device:
        _current.values.append(self.id)
        return self

    def __exit__(self, *details: Any) -> None:
        _current.values.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> None:
        _current.values[-1] = self.id

    @property
    def pci_bus_id(self) -> str:
        return f"0000:{self.id:02X}:00.0"

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
