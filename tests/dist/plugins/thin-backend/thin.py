"""A thin array library: an immutable array class around NumPy's, and a namespace of functions."""

import numpy as np

for dtype in ("float32", "float64", "int64", "bool"):
    globals()[dtype] = getattr(np, dtype)
result_type, isdtype = np.result_type, np.isdtype


def raw(x):
    return x.host if isinstance(x, Array) else x


class Array:
    """An array; operators give new ones."""

    device = "thin air"

    def __init__(self, host):
        self.host = np.asarray(host)

    dtype = property(lambda self: self.host.dtype)
    shape = property(lambda self: self.host.shape)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)

    def __float__(self):
        return float(self.host)

    def __int__(self):
        return int(self.host)


def operator(name):
    def operate(self, *others):
        if any(getattr(other, "__array_ufunc__", 0) is None for other in others):
            return NotImplemented
        return Array(getattr(self.host, name)(*map(raw, others)))

    return operate


for kind in "add sub mul truediv pow matmul radd rsub rmul rtruediv neg pos lt le gt ge eq".split():
    setattr(Array, f"__{kind}__", operator(f"__{kind}__"))


def asarray(x, dtype=None, device=None):
    return x if isinstance(x, Array) else Array(np.array(x, dtype=dtype))


def __getattr__(name):
    function = getattr(np, name)

    def call(*arguments, device=None, **keywords):
        return Array(function(*map(raw, arguments), **keywords))

    return call
