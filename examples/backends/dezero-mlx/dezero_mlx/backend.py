"""Define the MLX backend: creation, indexing and sorting differ from the array API."""

import math

import mlx.core as mx
import numpy as np

from dezero_core.extend import ArrayBackend, rank_generator

from .namespace import namespace


class MlxBackend(ArrayBackend):
    """Compute on MLX's default device, which is the GPU of a Mac with Apple silicon."""

    def __init__(self):
        super().__init__(namespace())

    def from_numpy(self, x):
        is_narrowed = x.dtype == np.float64 and "float64" not in self.capabilities
        return mx.array(np.array(x), self.dtype("float32" if is_narrowed else x.dtype.name))

    def to_numpy(self, x):
        return np.array(x)

    def asarray(self, x):
        return x if isinstance(x, mx.array) else self.from_numpy(np.asarray(x))

    def copy(self, x):
        return mx.array(x)

    def is_view(self, x):
        return False  # the backend never writes to an array

    def device(self, x):
        return mx.default_device()  # MLX's arrays are in memory that all devices share

    def zeros(self, shape, y):
        return mx.zeros(shape, y.dtype)

    def arange(self, n, y):
        return mx.arange(n, dtype=mx.int64)

    def scalar_like(self, x, y):
        is_wider = y.dtype == mx.bool_ or (
            isinstance(x, float) and not mx.issubdtype(y.dtype, mx.floating)
        )
        return mx.array(x, self.asarray(x).dtype if is_wider else y.dtype)

    def get_item(self, x, index):
        x, index = self.integer_index(x, index)
        return x[index]

    def scatter_add(self, x, index, values):
        if values.size == 0:  # MLX 0.32 crashes if there are no values
            return x
        if isinstance(index, tuple) and any(part is None for part in index):
            # MLX 0.32 sets the new axis at the wrong place: select flat positions instead
            every = mx.reshape(mx.arange(x.size), x.shape)
            y, index = mx.reshape(x, (-1,)), self.get_item(every, index)
        else:
            y, index = self.integer_index(x, index)
        return mx.reshape(y.at[index].add(values), x.shape)

    def argsort(self, x, axis, stable):
        return mx.argsort(x, axis=axis).astype(mx.int64)  # always stable

    def pad(self, x, widths, value):
        return mx.pad(x, list(widths), constant_values=mx.array(value, x.dtype))

    def sliding_windows(self, x, kernel, stride, dilation):
        (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
        *batch, H, W = x.shape
        OH, OW = (H - DH * (KH - 1) - 1) // SH + 1, (W - DW * (KW - 1) - 1) // SW + 1
        outer = [math.prod(x.shape[axis + 1 :]) for axis in range(len(batch))]
        strides = (*outer, W * DH, DW, W * SH, SW)  # in elements
        return mx.as_strided(mx.contiguous(x), (*batch, KH, KW, OH, OW), strides)

    def uniform(self, shape, dtype):
        key = mx.random.key(int(rank_generator().integers(2**63)))
        return mx.random.uniform(shape=shape, key=key).astype(dtype)

    def settle(self, arrays):
        mx.async_eval(arrays)

    def synchronize(self):
        mx.synchronize()
