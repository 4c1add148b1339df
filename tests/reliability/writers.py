"""Count the broken files that two processes leave when they save to one path at once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from figures import Figure, fill_of, script, snapshot

from dezero_core.state import save_weights

MEGABYTES = 0.5


def measure(long: bool = False) -> Figure:
    """Run 1,000 pairs (quick: 60), and read the file during and after each."""
    pairs, broken, reads = 1000 if long else 60, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        save_weights(snapshot(0.0, MEGABYTES), path)
        for pair in range(pairs):
            fills = 2.0 * pair + 1, 2.0 * pair + 2
            processes = []
            for fill in fills:
                process = os.fork()
                if process == 0:
                    status = 1
                    try:
                        save_weights(snapshot(fill, MEGABYTES), path)
                        status = 0
                    finally:
                        os._exit(status)
                processes.append(process)
            broken += fill_of(path, MEGABYTES) is None
            reads += 1
            ended = [os.waitpid(process, 0)[1] for process in processes]
            broken += fill_of(path, MEGABYTES) not in fills or any(ended)
        broken += len(os.listdir(folder)) != 1
    return Figure(broken, 0, f"{pairs} pairs, {reads} reads meanwhile")


if __name__ == "__main__":
    script(measure)
