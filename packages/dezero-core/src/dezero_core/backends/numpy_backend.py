"""Register NumPy through the same hook as every other array library."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import Axis
from ..errors import UnsupportedType
from ..hookspecs import DEZERO_API as DEZERO_API  # read by `Plugins.register`
from ..hookspecs import hookimpl
from .host import HostArray, host_uniform, is_writable, rank_generator
from .interface import Array, ArrayBackend, BackendSpec, unsupported_dtype
from .portable import Pair, is_basic, window_layout
from .summation import scatter_add, sum_in_blocks


class NumpyBackend(ArrayBackend):
    """Compute on the host with NumPy."""

    def __init__(self) -> None:
        super().__init__(np)

    def is_plain(self, array_type: type) -> bool:
        return array_type is np.ndarray or issubclass(array_type, np.generic)

    def admit(self, x: Array) -> Array:
        """Return ``x`` in native byte order; a subclass (``np.matrix``) becomes a plain array."""
        dtype = x.dtype
        if dtype.kind not in "fiub":
            raise unsupported_dtype(dtype)
        if type(x) is np.ndarray and dtype.isnative:
            return x
        if isinstance(x, np.ma.MaskedArray):
            raise UnsupportedType(
                "masked arrays are not supported: the mask would be lost; fill it first with "
                "x.filled(value), or pass x.data and the mask separately"
            )
        return np.asarray(x, native_dtype(dtype))

    def to_numpy(self, x: Array) -> Any:
        return np.array(x)

    def scalar_like(self, x: complex, y: Array) -> Array:
        return np.asarray(x, dtype=np.result_type(y.dtype, x))  # faster without `device=`

    def dtype(self, name: str) -> Any:
        return native_dtype(np.dtype(name))

    def device(self, x: Array) -> Any:
        return "cpu"  # before version 2.1 NumPy's scalars have no `device`

    def is_view(self, x: Array) -> bool:
        return isinstance(x, np.ndarray) and x.base is not None

    def copy(self, x: Array) -> Array:
        return np.array(x)  # +x returns a scalar for a 0-d array

    def iadd(self, x: Any, y: Any) -> Array:
        return np.add(x, y, out=x if is_writable(x) else np.empty(x.shape, x.dtype))

    def get_item(self, x: Array, index: object) -> Array:
        return x[index]

    def sum(self, x: Any, axis: Axis, keepdims: bool, dtype: Any = None) -> Array:
        return sum_in_blocks(x, axis, keepdims, dtype)

    def scatter_add(self, x: Any, index: object, values: Any) -> Array:
        if is_basic(index):
            x[index] += values
        else:
            scatter_add(x, index, values)
        return x

    def pad(self, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        lengths = [n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)]
        y = np.full(lengths, value, x.dtype)  # faster than np.pad
        middle = zip(x.shape, widths, strict=True)
        y[tuple([slice(before, before + n) for n, (before, _) in middle])] = x
        return y

    def sliding_windows(self, x: Any, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
        shape, strides = window_layout(x, kernel, stride, dilation)
        if not x.flags.c_contiguous:
            return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)
        view: HostArray = np.ndarray(shape, x.dtype, x, 0, strides)  # faster than as_strided
        view.flags.writeable = False
        return view

    def bernoulli(self, p: float, x: Array) -> Array:
        """Compare 16 random bits per element with ``p``, rounded to a multiple of 1/65536.

        The bits come from SFC64, a fast generator, seeded by one draw from `rank_generator`.
        """
        words = np.random.SFC64(int(rank_generator().integers(1 << 63))).random_raw(x.size // 4 + 1)
        bits = words.view(np.uint16)[: x.size].reshape(x.shape)
        return np.asarray(bits < round(p * (1 << 16)))

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return host_uniform(shape).astype(dtype, copy=False)


def native_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return NumPy's dtype object that equals ``dtype`` in native byte order."""
    return np.dtype(dtype.char)


@hookimpl
def dezero_backends() -> list[BackendSpec]:
    """Register NumPy's arrays, and the scalars that NumPy returns in place of 0-d arrays."""
    return [
        BackendSpec(
            "numpy",
            ("numpy:ndarray", "numpy:generic"),
            NumpyBackend,
            frozenset({"dlpack", "float64", "in_place", "index_errors", "random", "scatter_add"}),
        )
    ]
