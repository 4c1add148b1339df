"""Define the result of a script, and the small model that the scripts save and compare."""

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
    """Store the result of a script: a count, and its target.

    Attributes:
        seen: the count.
        target: the value that the count must have.
        details: the trials behind the count, in words.
    """

    seen: int
    target: int
    details: str

    @property
    def holds(self) -> bool:
        """Return whether the count equals the target."""
        return self.seen == self.target


def script(measure: Callable[[bool], Figure]) -> None:
    """Run ``measure`` and print its result; exit with 1 if the count misses the target."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true", help="run the full number of trials")
    figure = measure(parser.parse_args().long)
    print(figure.seen, figure.details, sep="   ")
    raise SystemExit(not figure.holds)


def snapshot(fill: float, megabytes: float) -> dict[str, Any]:
    """Return four arrays and a buffer whose elements all have the value ``fill``."""
    size = int(megabytes * 2**20 / 16)
    model: dict[str, Any] = {f"l{i}": Parameter(np.full(size, fill, "float32")) for i in range(4)}
    return {**model, "step": Buffer(np.array(fill))}


def fill_of(path: Path, megabytes: float) -> float | None:
    """Return the ``fill`` of the snapshot at ``path``, or None if it is broken or a mixture."""
    model = snapshot(-1.0, megabytes)
    try:
        load_weights(model, path, verify=True)
    except (ValueError, OSError):
        return None
    arrays = [x.data for x in named_params(model).values()]
    values = {float(n) for array in arrays for n in (array.min(), array.max())}
    return values.pop() if len(values) == 1 else None


def fingerprint(model: Any) -> str:
    """Return a digest of all keys, dtypes, shapes and elements of a model."""
    digest = hashlib.sha256()
    for key, x in named_params(model).items():
        digest.update(f"{key} {x.dtype} {x.shape}".encode() + x.data.tobytes())
    return digest.hexdigest()
