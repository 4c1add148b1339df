"""Use MLX as a backend: on a Mac with Apple silicon, ``model.to("mlx")`` trains on its GPU.

MLX checks no index: an index array that is out of range reads or changes another element, or
memory of another array. DeZero does not check labels and ids either, because MLX is lazy and
reading a value waits for the device. Check such data with NumPy before you pass it.

Apple's GPUs have no float64: on macOS, float64 arrays become float32. Our tests run MLX's CPU build
for Linux (``pip install "mlx[cpu]"``), not a Mac.
"""

import sys

from dezero_core.extend import BackendSpec, hookimpl

DEZERO_API = 1


def make_backend():
    from .backend import MlxBackend  # loading the plugin must import no array library

    return MlxBackend()


@hookimpl
def dezero_backends():
    declared = {"lazy", "random", "scatter_add"}
    if sys.platform != "darwin":
        declared.add("float64")
    return [BackendSpec("mlx", ("mlx.core:array",), make_backend, frozenset(declared))]
