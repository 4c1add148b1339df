"""Time DeZero beside PyTorch: `hatch run bench:run [--quick] [--only ROW]`.

Every figure is the median over rounds; in each round both sides run one after the other, each
in a fresh process with one thread and the collector on. Only ratios within a run mean anything.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from rows import ROWS

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
ROWS_SCRIPT = str(Path(__file__).with_name("rows.py"))


def measure(row: str, side: str) -> float:
    """One figure from one fresh process."""
    command = [sys.executable, ROWS_SCRIPT, row, side]
    environment = {**os.environ, **ONE_THREAD}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(printed.stdout)


def alternate(row: str, rounds: int) -> dict[str, list[float]]:
    """The figures of both sides, round by round, each side first in every other round."""
    sides = list(ROWS[row][2])
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            figures[side].append(measure(row, side))
            print(f"{row}: round {number + 1}/{rounds}, {side}", file=sys.stderr)
    return figures


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):10.2f} ({min(values):.2f} to {max(values):.2f})"


def report(name: str, ours: list[float], theirs: list[float], what: str, limit: float) -> bool:
    """Print a row of the table; the ratio is that of the medians."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    good = ratio <= limit
    verdict = "ok" if good else "MISSED"
    print(f"{name:34} {spread(ours):32} {spread(theirs):32} {ratio:5.2f} {limit:5.2f} {verdict}")
    print(f"{'':34} us {what}", flush=True)
    return good


def main() -> int:
    """Run the rows asked for; the exit status says whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds instead of seven")
    parser.add_argument("--only", choices=[*ROWS], action="append", help="run this row alone")
    options = parser.parse_args()
    rounds, chosen = 3 if options.quick else 7, options.only or [*ROWS]

    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; ")
    print("one thread, collector on; medians over", rounds, "rounds of alternating processes")
    print(f"\n{'row':34} {'DeZero, us (range)':32} {'beside it':32} ratio limit")
    good = []
    figures = {row: alternate(row, rounds) for row in chosen}
    limits = {"op": 0.8, "op create_graph": 1.2, "mlp": 1.2}
    for row, limit in limits.items():
        if row in figures:
            unit = "per step, beside PyTorch" if row == "mlp" else "per op, beside PyTorch"
            good.append(report(row, figures[row]["dezero"], figures[row]["torch"], unit, limit))
    if "long chain" in figures:
        long = figures["long chain"]
        short = figures.get("op") or alternate("op", rounds)
        good.append(
            report(
                "chain of 100,000 ops",
                long["dezero"],
                short["dezero"],
                f"per op, beside DeZero's chain of 2,000 (PyTorch at 100,000: "
                f"{statistics.median(long['torch']):.2f})",
                3.0,
            )
        )
    if "import" in figures:
        ours, numpy = (statistics.median(figures["import"][side]) for side in ("dezero", "numpy"))
        extra = (ours - numpy) / 1000
        good.append(extra <= 60)
        print(f"{'import dezero_core':34} numpy + {extra:.0f} ms, limit 60 ms", end=" ")
        print("ok" if good[-1] else "MISSED")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
