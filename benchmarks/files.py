"""Saving and loading: 500 MB of random float32 in ten arrays, or the weights of VGG16.

The other sides do what ours does less the checks: `numpy.savez` onto the file and a sync of it,
`numpy.load` of the same members, the library safetensors. Ours hashes every array on another
thread while it is written. The first saves are slower on all sides, until the system has pages for
the files; ours needs them for two.
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
    """500 MB."""
    draw = np.random.default_rng(0)
    return {f"a{i}": draw.standard_normal((1250, 10_000), np.float32) for i in range(10)}


def vgg16() -> dict[str, Any]:
    """138 million weights, made as the model makes them: 553 MB, 411 of them one array."""
    from dezero_core import no_grad, test_mode
    from dezero_nn import VGG16

    model = VGG16()
    with no_grad(), test_mode():
        model(np.zeros((1, 3, 224, 224), np.float32))
    return {key.replace("/", "."): x.data for key, x in model.named_params().items()}


def folder() -> Path:
    """Removed when the process ends."""
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
    kept: dict[str, Any] = {}

    def step() -> None:
        with np.load(path) as file:
            kept.update({key: file[key] for key in file.files})

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
    kept: dict[str, Any] = {}
    return lambda: kept.update(load_file(path))


def compressed_megabytes(library: str) -> float:
    """Of the file that a compressing save of either library writes."""
    path = folder() / "m.npz"
    if library == "numpy":
        np.savez_compressed(path, **random_arrays())
    else:
        from dezero_io import save_weights

        save_weights(tree(random_arrays()), path, compress=True)
    return path.stat().st_size / 2**20


def allowed_megabytes(arrays: dict[str, Any], all_of_them: bool) -> float:
    """The largest array and 64 MB; for loading, which is all or nothing, the new arrays too."""
    sizes = [x.nbytes / 2**20 for x in arrays.values()]
    return max(sizes) + 64 + (sum(sizes) if all_of_them else 0)
