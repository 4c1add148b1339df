"""Imitate cupy.cuda.nccl for ranks that are threads of one process, with a device each.

The stand-in is stricter than NCCL. It raises an AssertionError if the ranks sum arrays of different
sizes, or if a stream does not wait for the kernels that write the array. NCCL would give wrong sums
or wait forever.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from memory import array_at

from . import graphs

available = True

NCCL_SUM = 0
NCCL_INT64, NCCL_FLOAT16, NCCL_FLOAT32, NCCL_FLOAT64 = 4, 6, 7, 8
DTYPES = {NCCL_INT64: "i8", NCCL_FLOAT16: "f2", NCCL_FLOAT32: "f4", NCCL_FLOAT64: "f8"}
LIMIT = 20
"""The time in seconds after which a rank that waits for the others fails."""


class NcclError(RuntimeError):
    """Report a status code of NCCL."""


class Group:
    """Hold what the ranks of one job pass to their calls, and let the ranks wait for each other.

    Attributes:
        calls: what each rank passes to a call; the key is the number of the call.
    """

    def __init__(self, size: int) -> None:
        self.size, self.condition, self.is_aborted = size, threading.Condition(), False
        self.calls: dict[int, dict[int, Any]] = {}

    def put(self, number: int, rank: int, value: Any) -> None:
        with self.condition:
            self.calls.setdefault(number, {})[rank] = value
            self.condition.notify_all()

    def get(self, number: int) -> list[Any]:
        """Return what all ranks passed to a call, in the order of the ranks."""
        with self.condition:
            found = self.calls[number]
            self.condition.wait_for(lambda: self.is_aborted or len(found) == self.size, LIMIT)
            if self.is_aborted:
                raise graphs.CUDARuntimeError("cudaErrorUnknown: the communicator was aborted")
            assert len(found) == self.size, f"call {number}: ranks {sorted(found)} came"
            return [found[rank] for rank in range(self.size)]


_groups: dict[bytes, Group] = {}
_lock = threading.Lock()


def get_unique_id() -> bytes:
    with _lock:
        return len(_groups).to_bytes(128, "little")


class NcclCommunicator:
    """Connect one rank to the ranks with the same unique id."""

    def __init__(self, ndev: int, commId: bytes, rank: int) -> None:
        from .cuda import Device

        assert type(commId) is bytes and len(commId) == 128, "CuPy 14 takes bytes"
        with _lock:
            self._group: Group | None = _groups.setdefault(commId, Group(ndev))
        self._rank, self._number, self._device = rank, 0, Device().id
        self._group.put(0, rank, self._device)
        if len(set(self._group.get(0))) < ndev:
            raise NcclError("NCCL_ERROR_INVALID_USAGE: Duplicate GPU detected")

    def allReduce(
        self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, stream: int
    ) -> None:
        assert op == NCCL_SUM and sendbuf == recvbuf, "only sums in place"
        assert self._group is not None, "the communicator was aborted"
        side, current = graphs.stream_at(stream), graphs.get_current_stream()
        assert side is current or side.seen.get(current, 0) == current.issued, (
            "the stream of NCCL does not wait for the kernels that write the array"
        )
        x = array_at(recvbuf, (count,), (1,), DTYPES[datatype])
        if side._graph is not None:
            side.issued += 1
            side._graph.record(lambda: self._sum(x), [], {})
            return
        number = self._send(x)
        side.enqueue(lambda: self._receive(number, x))

    def _sum(self, x: Any) -> None:
        self._receive(self._send(x), x)

    def _send(self, x: Any) -> int:
        """Pass the array to the other ranks, and fill it with NaN until the sum is written."""
        assert self._group is not None
        self._number += 1
        self._group.put(self._number, self._rank, x.copy())
        graphs.fill_with_nan(x)
        return self._number

    def _receive(self, number: int, x: Any) -> None:
        assert self._group is not None
        arrays = self._group.get(number)
        kinds = {(y.size, y.dtype) for y in arrays}
        assert len(kinds) == 1, f"the ranks sum different arrays: {kinds}"
        with np.errstate(all="ignore"):  # a device gives no warnings
            x[...] = np.add.reduce(arrays)

    def check_async_error(self) -> None:
        if self._group is not None and self._group.is_aborted:
            raise NcclError("NCCL_ERROR_REMOTE_ERROR: another rank has aborted")

    def abort(self) -> None:
        group, self._group = self._group, None
        if group is not None:
            with group.condition:
                group.is_aborted = True
                group.condition.notify_all()
