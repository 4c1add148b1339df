"""Count the killed and resumed training runs that end with other weights than a whole run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Figure, script

TRAIN = ["train", "--data", "spiral", "--epochs", "60", "--seed", "1"]


def train(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start ``dezero train`` in a new process."""
    command = [sys.executable, "-m", "dezero", *TRAIN, *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def measure(long: bool = False) -> Figure:
    """Kill each of 40 runs (quick: 2) up to three times, at random moments."""
    rng, runs, kills, different = np.random.default_rng(0), 40 if long else 2, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        assert train(folder, "--checkpoint", "whole", "--save", "whole.npz").wait() == 0
        takes = time.perf_counter() - start
        for run in range(runs):
            options = "--checkpoint", f"run{run}", "--resume", "--save", f"{run}.npz"
            for _ in range(3):
                process = train(folder, *options)
                try:
                    process.wait(rng.uniform(0.3 * takes, 0.9 * takes))
                except subprocess.TimeoutExpired:
                    process.kill()
                    kills += 1
                process.wait()
            ended = train(folder, *options).wait()
            whole = (folder / "whole.npz").read_bytes()
            different += ended != 0 or (folder / f"{run}.npz").read_bytes() != whole
    return Figure(different, 0, f"{runs} runs, killed {kills} times; one takes {takes:.1f} s")


if __name__ == "__main__":
    script(measure)
