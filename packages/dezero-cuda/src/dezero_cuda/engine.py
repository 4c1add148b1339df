"""Connect the ranks of a job by NCCL, which sums arrays on GPUs while the host goes on."""

from __future__ import annotations

import os
import socket
import time
from threading import Thread
from typing import Any, NamedTuple

import cupy
import numpy as np

from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_core.extend import Array, Communicator, get_communicator
from dezero_core.state import communicators

from .nccl import find_nccl
from .tcp import DTYPES, connect

ABORT_SECONDS = 2.0
"""The longest time that NCCL gets to stop its kernels before the processes end."""

TIMEOUT = 600.0
"""The time in seconds for which a kernel may run, unless DEZERO_TIMEOUT sets another."""


class Mark(NamedTuple):
    """Hold a point in the work of the device, and the time when the point was set, in seconds."""

    event: cupy.cuda.Event
    since: float


class Sum(NamedTuple):
    """Describe a sum on the device: the array, and the event after which the array has the sum."""

    array: cupy.ndarray
    event: cupy.cuda.Event


class NcclCommunicator:
    """Sum CuPy arrays by NCCL, and do everything else by another engine.

    The other engine sends objects, sums NumPy arrays, and tells which ranks have left. A sum of
    CuPy arrays runs on a separate stream, beside later kernels. `wait` lets the current stream wait
    for the sum; the host goes on. NCCL has no time limit: if a rank never starts a sum, the kernels
    of the other ranks run forever. So `departed`, which the watcher of dezero-parallel calls, also
    checks that the kernels of this rank's default stream finish.

    Args:
        control: the engine that connects the same ranks on the host.

    Attributes:
        rank, size: those of ``control``.
        device: the GPU of this rank, which becomes the current device of the calling thread.

    Raises:
        CommunicatorError: two ranks use the same GPU.
        MissingPackage: NCCL is not installed.
    """

    def __init__(self, control: Communicator) -> None:
        library = find_nccl()
        self.control, self.rank, self.size = control, control.rank, control.size
        self.device = own_device(control)
        self.device.use()
        unique_id = control.broadcast(library.unique_id() if self.rank == 0 else None)
        self._nccl = library(self.size, unique_id, self.rank)
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._mark: Mark | None = None

    def gather(self, value: object) -> list[Any]:
        return self.control.gather(value)

    def broadcast(self, value: object) -> Any:
        return self.control.broadcast(value)

    def start(self, array: Array) -> Any:
        if isinstance(array, np.ndarray):
            return self.control.start(array)
        require_summable(array, self.device)
        current = cupy.cuda.get_current_stream()
        self._stream.wait_event(current.record(new_event()))
        if array.size:
            self._nccl.sum(array, self._stream.ptr)
        return Sum(array, self._stream.record(new_event()))

    def poll(self, request: Any) -> None:
        if not isinstance(request, Sum):
            self.control.poll(request)

    def wait(self, request: Any) -> None:
        if not isinstance(request, Sum):
            self.control.wait(request)
            return
        cupy.cuda.get_current_stream().wait_event(request.event)

    def leave(self, step: int) -> None:
        self._stream.synchronize()
        self.control.leave(step)

    def departed(self) -> tuple[int, int] | None:
        """Return the rank and step of a rank that has left, or None.

        Raises:
            CommunicatorError: NCCL reports an error, such as a lost connection; or the kernels of
                this rank have not finished within DEZERO_TIMEOUT seconds (default 600).
        """
        if error := self._nccl.error():
            raise CommunicatorError(
                f"engine 'nccl': NCCL reports {error}; restart the job from its last checkpoint"
            )
        self._require_progress()
        return self.control.departed()

    def _require_progress(self) -> None:
        """Check that the device has reached the mark in time; then set a new mark."""
        now, limit = time.monotonic(), float(os.environ.get("DEZERO_TIMEOUT", TIMEOUT))
        if self._mark is None or self._mark.event.done:
            with self.device:
                self._mark = Mark(cupy.cuda.Stream.null.record(new_event()), now)
        elif now - self._mark.since > limit:
            raise CommunicatorError(
                f"engine 'nccl': the GPU of rank {self.rank} has not finished its kernels "
                f"for {limit:.0f} s; probably another rank has not come to a sum; see what each "
                "rank says above"
            )

    def abort(self) -> None:
        stopping = Thread(target=self._nccl.abort, daemon=True)
        stopping.start()
        stopping.join(ABORT_SECONDS)
        self.control.abort()


def make_communicator() -> NcclCommunicator:
    """Connect this rank by NCCL, beside the engine of the launcher, or beside TCP without one."""
    launched = [s for s, _ in communicators() if s.name not in ("nccl", "tcp") and s.launched()]
    if not launched:
        return NcclCommunicator(connect())
    control = get_communicator(max(launched, key=lambda spec: spec.priority).name)
    assert control is not None  # an engine that is named is never None
    return NcclCommunicator(control)


def new_event() -> cupy.cuda.Event:
    """Return an event that measures no time, which is the fastest type."""
    return cupy.cuda.Event(disable_timing=True)


def require_summable(array: Any, device: cupy.cuda.Device) -> None:
    """Check that NCCL can sum an array in place.

    Raises:
        ArgumentError: the array is on the wrong device, not contiguous, or of the wrong dtype.
    """
    if not isinstance(array, cupy.ndarray):
        what = f"an object of type {type(array).__name__}"
    elif array.dtype.name not in DTYPES:
        what = f"dtype {array.dtype}"
    elif not (array.flags.c_contiguous or array.flags.f_contiguous):
        what = f"strides {array.strides} for shape {array.shape}"
    elif array.device != device:
        what = f"an array on {array.device}"
    else:
        return
    raise ArgumentError(
        f"engine 'nccl': start: got {what}; expected a contiguous CuPy array of dtype "
        f"{', '.join(DTYPES)} on {device}; convert or copy the array"
    )


def own_device(control: Communicator) -> cupy.cuda.Device:
    """Return the GPU of this rank: the k-th visible GPU for the k-th rank of its host.

    If a process sees only one GPU, for example because of ``CUDA_VISIBLE_DEVICES``, this GPU is
    returned.

    Raises:
        CommunicatorError: two ranks use the same GPU.
    """
    host, count = socket.gethostname(), cupy.cuda.runtime.getDeviceCount()
    local_rank = control.gather(host)[: control.rank].count(host)
    device = cupy.cuda.Device(local_rank % count)
    places = control.gather((host, device.pci_bus_id))
    for rank, place in enumerate(places):
        if (first := places.index(place)) < rank:
            raise CommunicatorError(
                f"engine 'nccl': ranks {first} and {rank} both use GPU {place[1]} of host "
                f"{place[0]}; expected one GPU for each rank; start at most {count} ranks on this "
                "host, or choose another engine"
            )
    return device
