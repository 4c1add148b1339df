"""What the scripts beside this one have in common: a figure, a model, and how to look at it."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dezero_core import Buffer, Parameter
from dezero_core.state import load_weights, named_params


@dataclass(frozen=True)
class Figure:
    """Something that was counted.

    Attributes:
        seen: the number.
        target: what it must be.
        details: how it came about.
    """

    seen: int
    target: int
    details: str

    @property
    def holds(self) -> bool:
        """Whether the target was met."""
        return self.seen == self.target


def script(measure: Callable[[bool], Figure]) -> None:
    """What a script of this folder does when it is run: it prints its number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true", help="as many trials as the target names")
    figure = measure(parser.parse_args().long)
    print(figure.seen, figure.details, sep="   ")
    raise SystemExit(not figure.holds)


def snapshot(fill: float, megabytes: float) -> dict[str, Any]:
    """Weights that are told apart by one number: four arrays, and a buffer."""
    size = int(megabytes * 2**20 / 16)
    model: dict[str, Any] = {f"l{i}": Parameter(np.full(size, fill, "float32")) for i in range(4)}
    return {**model, "step": Buffer(np.array(fill))}


def fill_of(path: Path, megabytes: float) -> float | None:
    """The number of the snapshot at ``path``; None unless there is exactly one, whole."""
    model = snapshot(-1.0, megabytes)
    try:
        load_weights(model, path, verify=True)
    except (ValueError, OSError):
        return None
    arrays = [x.data for x in named_params(model).values()]
    found = {float(n) for array in arrays for n in (array.min(), array.max())}
    return found.pop() if len(found) == 1 else None


def fingerprint(model: Any) -> str:
    """A digest of all keys, dtypes, shapes and bits of a model."""
    told = hashlib.sha256()
    for key, x in named_params(model).items():
        told.update(f"{key} {x.dtype} {x.shape}".encode() + x.data.tobytes())
    return told.hexdigest()
