"""Fixtures of the chapters: the stand-in for CuPy, its counts of copies, and MNIST."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dezero
from dezero_core.backends import host


class Copies:
    """The number of copies between host and device since the last call."""

    def __init__(self, counts: "Counter[str]") -> None:
        self.counts = counts

    def look(self) -> tuple[int, int]:
        """Return the copies (to the device, to the host), and reset the counts."""
        found = self.counts["from_host"], self.counts["to_host"]
        self.counts["from_host"] = self.counts["to_host"] = 0
        return found


@pytest.fixture
def copies() -> Copies:
    import cupy

    counter = Copies(cupy._counts)
    counter.look()
    return counter


@pytest.fixture(autouse=True)
def _no_seed_stays() -> Any:
    yield
    host.streams().seeded = None


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace MNIST by its first 1,000 images."""
    folder = Path(os.environ.get("DEZERO_DATA", "")) / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip("no MNIST: set DEZERO_DATA to the folder that holds mnist/*.gz")
    whole = dezero.datasets.MNIST.prepare

    def prepare(self: Any) -> None:
        whole(self)
        self.data, self.label = np.ascontiguousarray(self.data[:1000]), self.label[:1000]

    monkeypatch.setattr(dezero.datasets.MNIST, "prepare", prepare)
