"""How many saves that were killed, or interrupted, lost the snapshot at their path.

A child saves over an older snapshot; a signal comes at a moment drawn uniformly from the time that
a save takes. Afterwards the path must hold the old snapshot or the new one, whole.
"""

from __future__ import annotations

import mmap
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from figures import Figure, fill_of, script, snapshot

from dezero_core.state import save_weights

MEGABYTES = 16
PHASES = ("before", "writing", "renamed", "returned")
"""How far a child has come: it says so in a byte that parent and child share."""

PATIENCE, HUNG = 20.0, "hung"
"""Seconds after which a child has hung: that counts as a lost snapshot does."""


def child(path: Path, fill: float, phase: mmap.mmap) -> None:
    """Save, and say how far it is."""
    model, replace = snapshot(fill, MEGABYTES), os.replace

    def replacing(*arguments: str) -> None:
        replace(*arguments)
        phase[0] = 2

    os.replace = replacing  # type: ignore[assignment]
    phase[0] = 1
    save_weights(model, path)
    phase[0] = 3


def trial(path: Path, fill: float, number: signal.Signals | None, wait: float) -> tuple[str, float]:
    """One save with a signal after ``wait`` seconds; where it fell, and how long the save took."""
    with mmap.mmap(-1, 1) as phase:
        process = os.fork()
        if process == 0:
            try:
                child(path, fill, phase)
            finally:
                os._exit(0)
        while phase[0] == 0:
            time.sleep(0)
        start = time.perf_counter()
        if number is not None:
            while time.perf_counter() - start < wait:
                time.sleep(0)
            os.kill(process, number)
        while os.waitpid(process, os.WNOHANG) == (0, 0):
            if time.perf_counter() - start > PATIENCE:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                return HUNG, PATIENCE
            time.sleep(0.0002)
        return PHASES[phase[0]], time.perf_counter() - start


def measure(long: bool = False) -> Figure:
    """Snapshots lost in 1,000 kills and 1,000 interrupts (quick: 40 of each)."""
    draw, lost, left = np.random.default_rng(0), 0, 0
    where: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        save_weights(snapshot(0.0, MEGABYTES), path)
        takes = float(np.median([trial(path, 0.0, None, 0)[1] for _ in range(7)]))
        fill, last = 0.0, 0.0
        for number in (signal.SIGKILL, signal.SIGINT):
            fell = where.setdefault(number.name, Counter())
            needed = 800 if long else 30
            while (
                fell.total() < (1000 if long else 40) or fell["writing"] + fell["renamed"] < needed
            ):
                fill += 1.0
                fell[trial(path, fill, number, draw.uniform(0, takes))[0]] += 1
                found = fill_of(path, MEGABYTES)
                lost += found not in (last, fill)
                last = fill if found is None else found
        save_weights(snapshot(0.0, MEGABYTES), path)
        left = len(list(Path(folder).iterdir())) - 1
    falls = "; ".join(
        f"{name}: " + ", ".join(f"{fell[phase]} {phase}" for phase in PHASES[1:])
        for name, fell in where.items()
    )
    hung = sum(fell[HUNG] for fell in where.values())
    details = f"{falls}; {hung} hung; {left} files left; a save takes {takes * 1e3:.0f} ms"
    return Figure(lost + left + hung, 0, details)


if __name__ == "__main__":
    script(measure)
