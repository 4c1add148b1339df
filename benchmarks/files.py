"""Save and load 500 MB of random float32 in ten arrays, or the weights of VGG16.

The other sides do the same without DeZero's checks: `numpy.savez` and `os.fsync`,
`numpy.load` of the same members, or the library safetensors. DeZero also hashes every array, on
another thread, while it is written. The first saves are slower on all sides, until the
system has free pages for the files; DeZero writes two files.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Step = Callable[[], Any]


def random_arrays() -> dict[str, Any]:
    """Return ten arrays of 50 MB."""
    draw = np.random.default_rng(0)
    return {f"a{i}": draw.standard_normal((1250, 10_000), np.float32) for i in range(10)}


def vgg16() -> dict[str, Any]:
    """Return the 138 million initial weights of VGG16: 553 MB, of which one array has 411 MB."""
    from dezero_core import no_grad, test_mode
    from dezero_nn import VGG16

    model = VGG16()
    with no_grad(), test_mode():
        model(np.zeros((1, 3, 224, 224), np.float32))
    return {key.replace("/", "."): x.data for key, x in model.named_params().items()}


def folder() -> Path:
    """Return a new folder that is removed when the process ends."""
    path = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, path)
    return path


def tree(arrays: dict[str, Any]) -> dict[str, Any]:
    from dezero_core import Parameter

    return {key: Parameter(x) for key, x in arrays.items()}


def dezero_save(arrays: dict[str, Any], compress: bool = False) -> Step:
    from dezero_io import save_weights

    model, path = tree(arrays), folder() / "m.npz"
    return lambda: save_weights(model, path, compress=compress)


def dezero_load(arrays: dict[str, Any], verify: bool = False) -> Step:
    from dezero_io import load_weights, save_weights

    model, path = tree(arrays), folder() / "m.npz"
    save_weights(model, path)
    return lambda: load_weights(model, path, verify=verify)


def numpy_save(arrays: dict[str, Any], compress: bool = False) -> Step:
    path, save = folder() / "m.npz", np.savez_compressed if compress else np.savez

    def step() -> None:
        with path.open("wb") as file:
            save(file, **arrays)
            file.flush()
            os.fsync(file.fileno())

    return step


def numpy_load(arrays: dict[str, Any]) -> Step:
    path = folder() / "m.npz"
    np.savez(path, **arrays)
    loaded: dict[str, Any] = {}

    def step() -> None:
        with np.load(path) as file:
            loaded.update({key: file[key] for key in file.files})

    return step


def safetensors_save(arrays: dict[str, Any]) -> Step:
    from safetensors.numpy import save_file

    path = folder() / "m.safetensors"

    def step() -> None:
        save_file(arrays, path)
        with path.open("rb") as file:
            os.fsync(file.fileno())

    return step


def safetensors_load(arrays: dict[str, Any]) -> Step:
    from safetensors.numpy import load_file, save_file

    path = folder() / "m.safetensors"
    save_file(arrays, path)
    loaded: dict[str, Any] = {}
    return lambda: loaded.update(load_file(path))


def compressed_megabytes(library: str) -> float:
    """Return the size of the file that a compressed save of the library writes."""
    path = folder() / "m.npz"
    if library == "numpy":
        np.savez_compressed(path, **random_arrays())
    else:
        from dezero_io import save_weights

        save_weights(tree(random_arrays()), path, compress=True)
    return path.stat().st_size / 2**20


def allowed_megabytes(arrays: dict[str, Any], all_of_them: bool) -> float:
    """Return the memory a save or a load may use: the largest array and 64 MB.

    Loading replaces all arrays or none, so it may also hold all new arrays.
    """
    sizes = [x.nbytes / 2**20 for x in arrays.values()]
    return max(sizes) + 64 + (sum(sizes) if all_of_them else 0)
