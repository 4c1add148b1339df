"""Measure DeZero beside PyTorch and the book's framework: `hatch run bench:run`.

Every figure is the median over rounds; in each round the sides run one after the other, each
in a fresh process with one thread and the collector on. Only ratios within a run mean anything.
The book's framework has an environment of its own, named book. The row of MNIST epochs wants
the files in the folder DEZERO_DATA, and is left out where they are absent.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

from rows import ROWS, Row

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
ROWS_SCRIPT = str(Path(__file__).with_name("rows.py"))
NAMES = {"torch": "PyTorch", "book": "the book's framework", "numpy": "NumPy"}
NAMES["dezero short"] = "DeZero's chain of 2,000"


@cache
def python_for(side: str) -> str:
    """The interpreter that has the library; that of the book is hatch's environment."""
    if side != "book":
        return sys.executable
    hatch = shutil.which("hatch") or sys.exit("the book's framework needs hatch on the PATH")
    subprocess.run([hatch, "run", "book:ready"], check=True, stdout=sys.stderr)
    found = subprocess.run([hatch, "env", "find", "book"], check=True, capture_output=True)
    return str(Path(found.stdout.decode().strip()) / "bin" / "python")


def measure(row: str, side: str) -> float:
    """One figure from one fresh process."""
    command = [python_for(side), ROWS_SCRIPT, row, side]
    environment = {**os.environ, **ONE_THREAD}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    return float(subprocess.check_output(command, env=environment, text=True))


def alternate(name: str, rounds: int) -> dict[str, list[float]]:
    """The figures of all sides, round by round, in reversed order in every other round."""
    sides = list(ROWS[name].sides)
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            figures[side].append(measure(name, side))
            print(f"{name}: round {number + 1}/{rounds}, {side}", file=sys.stderr)
    return figures


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def report(name: str, row: Row, figures: dict[str, list[float]]) -> bool:
    """Print a row of the table; ratios are those of the medians."""
    ours, *others = figures
    median = {side: statistics.median(values) for side, values in figures.items()}
    print(f"{name:16} {row.unit:14} DeZero {spread(figures[ours])}")
    good = True
    for side in others:
        ratio = median[ours] / median[side]
        line = f"{NAMES[side]} {spread(figures[side])}: ratio {ratio:.2f}"
        if side in row.limits:
            fits = ratio <= row.limits[side]
            good &= fits
            line += f", limit {row.limits[side]:.2f} {'ok' if fits else 'MISSED'}"
        print(f"{'':31} beside {line}", flush=True)
    if name == "import":
        extra = (median[ours] - median["numpy"]) / 1000
        good = extra <= 60
        print(f"{'':31} NumPy + {extra:.0f} ms, limit 60 ms {'ok' if good else 'MISSED'}")
    return good


def main() -> int:
    """Run the rows asked for; the exit status says whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds at most")
    parser.add_argument("--only", choices=[*ROWS], action="append", help="run this row alone")
    options = parser.parse_args()

    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; ")
    print("one thread, collector on; medians over rounds of alternating processes\n")
    good = []
    for name in options.only or [*ROWS]:
        if name == "mnist epoch" and "DEZERO_DATA" not in os.environ:
            print(f"{name:16} left out: DEZERO_DATA is not set")
            continue
        rounds = min(3, ROWS[name].rounds) if options.quick else ROWS[name].rounds
        good.append(report(name, ROWS[name], alternate(name, rounds)))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
