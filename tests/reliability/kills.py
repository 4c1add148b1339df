"""Count the snapshots that are lost when a save is killed or interrupted.

A child process saves over an older snapshot, and gets a signal at a random moment of the save.
Afterwards the path must hold the complete old or new snapshot.
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
"""The phases of a child process, which writes the current one to a byte of shared memory."""

PATIENCE, HUNG = 20.0, "hung"
"""The seconds after which a child counts as hung, and the name of that phase, a failure."""


def child(path: Path, fill: float, phase: mmap.mmap) -> None:
    """Save a snapshot; write the current phase to the shared byte."""
    model, replace = snapshot(fill, MEGABYTES), os.replace

    def replace_and_note(*arguments: str) -> None:
        replace(*arguments)
        phase[0] = 2

    os.replace = replace_and_note  # type: ignore[assignment]
    phase[0] = 1
    save_weights(model, path)
    phase[0] = 3


def trial(path: Path, fill: float, number: signal.Signals | None, wait: float) -> tuple[str, float]:
    """Send a signal to a save after ``wait`` seconds; return its last phase and its duration."""
    with mmap.mmap(-1, 1) as phase:
        process = os.fork()
        if process == 0:
            try:
                child(path, fill, phase)
            finally:
                os._exit(0)
        while phase[0] == 0:
            time.sleep(0)
        start, saving = time.perf_counter(), 0.0
        if number is not None:
            while time.perf_counter() - start < wait:
                time.sleep(0)
            os.kill(process, number)
        while os.waitpid(process, os.WNOHANG) == (0, 0):
            if phase[0] < 3:  # the end of a large process takes longer than the save
                saving = time.perf_counter() - start
            if time.perf_counter() - start > PATIENCE:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                return HUNG, PATIENCE
            time.sleep(0.0002)
        return PHASES[phase[0]], saving


def measure(long: bool = False) -> Figure:
    """Try 1,000 kills and 1,000 interrupts (quick: 40 of each); count lost snapshots."""
    rng, lost, leftovers = np.random.default_rng(0), 0, 0
    phases: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        save_weights(snapshot(0.0, MEGABYTES), path)
        takes = float(np.median([trial(path, 0.0, None, 0)[1] for _ in range(7)]))
        fill, last = 0.0, 0.0
        for number in (signal.SIGKILL, signal.SIGINT):
            hits = phases.setdefault(number.name, Counter())
            needed = 800 if long else 30
            while (
                hits.total() < (1000 if long else 40) or hits["writing"] + hits["renamed"] < needed
            ):
                fill += 1.0
                hits[trial(path, fill, number, rng.uniform(0, takes))[0]] += 1
                found = fill_of(path, MEGABYTES)
                lost += found not in (last, fill)
                last = fill if found is None else found
        save_weights(snapshot(0.0, MEGABYTES), path)
        leftovers = len(list(Path(folder).iterdir())) - 1
    counts = "; ".join(
        f"{name}: " + ", ".join(f"{hits[phase]} {phase}" for phase in PHASES[1:])
        for name, hits in phases.items()
    )
    hung = sum(hits[HUNG] for hits in phases.values())
    details = f"{counts}; {hung} hung; {leftovers} files left over; one save: {takes * 1e3:.0f} ms"
    return Figure(lost + leftovers + hung, 0, details)


if __name__ == "__main__":
    script(measure)
