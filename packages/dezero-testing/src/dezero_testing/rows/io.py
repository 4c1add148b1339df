"""Check weight files and loaders on a backend."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dezero_core import Buffer, Parameter
from dezero_core.extend import backend_of, get_backend
from dezero_core.state import load_weights, save_weights
from dezero_io import DataLoader, Spiral

from ..check import Check

VALUES: dict[str, Any] = {
    "W": np.sin(np.arange(6.0)).reshape(2, 3).astype("float32"),
    "ids": np.arange(4),
    "empty": np.zeros((0, 2), "float32"),
}


def cases() -> list[Check]:
    """Return the checks of dezero-io."""
    return [
        Check("saved and loaded on the device", "weights", check_saving_and_loading),
        Check("batches on the device", "weights", check_batches),
    ]


def check_saving_and_loading(name: str) -> None:
    """Check that saving and loading keep the values and the backend of the parameters."""
    library = get_backend(name)
    tree = {key: Parameter(library.from_numpy(x)) for key, x in VALUES.items()}
    stats = Buffer(library.from_numpy(VALUES["W"][0]))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tree.npz"
        save_weights({**tree, "stats": stats}, path)
        assert all(backend_of(p.data) is library for p in tree.values()), "saving moved them"
        other = {key: Parameter(library.from_numpy(0 * x)) for key, x in VALUES.items()}
        load_weights({**other, "stats": Buffer(None)}, path)
    for key, p in other.items():
        assert backend_of(p.data) is library, f"{key} was loaded elsewhere"
        host = library.to_numpy(p.data)
        assert host.dtype == VALUES[key].dtype and np.array_equal(host, VALUES[key])


def check_batches(name: str) -> None:
    """Check that a loader yields batches on the backend, in the dtypes of the data."""
    library, data = get_backend(name), Spiral()
    batches = list(DataLoader(data, 100, shuffle=False).to(name))
    assert [backend_of(x) for x, _ in batches] == [library] * 3
    x, t = (
        np.concatenate([library.to_numpy(b) for b in part]) for part in zip(*batches, strict=True)
    )
    assert np.array_equal(x, data.data) and np.array_equal(t, data.label)
