"""Profile the DeZero step of a benchmark row: ``hatch run bench:run --profile ROW``."""

from __future__ import annotations

import cProfile
import pstats
import sys

from rows import ROWS

if __name__ == "__main__":
    row = ROWS[sys.argv[1]]
    step = next(iter(row.sides.values()))()
    for _ in range(row.warm + 1):
        step()
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(row.repetitions):
        step()
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)
