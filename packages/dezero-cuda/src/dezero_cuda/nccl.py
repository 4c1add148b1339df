"""Call NCCL, which sums arrays over GPUs, through nccl4py or through CuPy."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from warnings import catch_warnings, simplefilter

import cupy

from dezero_core.errors import MissingPackage

INSTALL = "pip install 'nccl4py[cu13]' (or [cu12]), or pip install nvidia-nccl-cu13 (or -cu12)"


class Nccl4py:
    """Call NCCL through NVIDIA's package nccl4py.

    The constructor connects this rank, and returns when all ranks have called it.
    """

    package = "nccl4py"

    def __init__(self, size: int, unique_id: bytes, rank: int) -> None:
        self._core = import_module("nccl.core")
        identifier = self._core.UniqueId.from_bytes(unique_id)
        self._communicator = self._core.Communicator.init(size, rank, identifier)
        self.abort = self._communicator.abort

    @staticmethod
    def unique_id() -> bytes:
        """Return the bytes that rank 0 sends to all ranks, which identify the job."""
        return bytes(import_module("nccl.core").get_unique_id())

    def sum(self, array: cupy.ndarray, stream: int) -> None:
        """Replace an array by its sum over the ranks, on the stream with this address."""
        self._communicator.allreduce(array, array, self._core.SUM, stream=stream)

    def error(self) -> str:
        """Return the error that NCCL has found in the background, or an empty string."""
        result = self._communicator.get_async_error()
        is_fine = result.name in ("Success", "InProgress")
        return "" if is_fine else f"{result.name}: {self._communicator.get_last_error()}"


class CupyNccl:
    """Call NCCL through ``cupy.cuda.nccl``, with the methods of `Nccl4py`."""

    package = "CuPy"

    def __init__(self, size: int, unique_id: bytes, rank: int) -> None:
        from cupy.cuda import nccl

        self._communicator = nccl.NcclCommunicator(size, unique_id, rank)
        self._error_class, self._sum = nccl.NcclError, nccl.NCCL_SUM
        self._codes = {
            "float16": nccl.NCCL_FLOAT16,
            "float32": nccl.NCCL_FLOAT32,
            "float64": nccl.NCCL_FLOAT64,
            "int64": nccl.NCCL_INT64,
        }
        self.abort = self._communicator.abort

    @staticmethod
    def unique_id() -> bytes:
        from cupy.cuda import nccl

        return nccl.get_unique_id()

    def sum(self, array: cupy.ndarray, stream: int) -> None:
        pointer, code = array.data.ptr, self._codes[array.dtype.name]
        self._communicator.allReduce(pointer, pointer, array.size, code, self._sum, stream)

    def error(self) -> str:
        try:
            self._communicator.check_async_error()
        except self._error_class as error:
            return str(error)
        return ""


def find_nccl() -> type[Nccl4py] | type[CupyNccl]:
    """Return the class that calls NCCL: nccl4py if it is installed, else CuPy.

    Raises:
        MissingPackage: nccl4py is not installed, and CuPy finds no NCCL.
    """
    if find_spec("nccl"):
        return Nccl4py
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # CuPy warns of what the error below says
        from cupy.cuda import nccl

        available = nccl.available
    if not available:
        raise MissingPackage(f"engine 'nccl': NCCL is not installed: {INSTALL}")
    return CupyNccl
