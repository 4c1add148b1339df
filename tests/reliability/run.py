"""The scorecard: every figure, what it must be, and what was seen.

``hatch run reliability:run [--long] [NAME ...]``
"""

from __future__ import annotations

import argparse
import importlib
import os
import time

FIGURES = {
    "kills": "snapshots lost by kill and Ctrl-C during a save",
    "faults": "files broken by a failure at any call to the file system",
    "writers": "files broken by two writers at once",
    "hostile": "crafted files with another answer than their error",
    "mutations": "damaged files with another answer than an error of ours",
    "flips": "single-bit flips that changed a value or key in silence",
    "resumes": "steps of 100 whose resumed run ends with other weights",
    "killed_runs": "training runs, killed and resumed, that end with other weights",
}


def main() -> int:
    """Measure, print a line each; how many figures were missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--long", action="store_true", help="as many trials as the targets name")
    options = parser.parse_args()
    missed, began = 0, time.perf_counter()
    for name in options.names or FIGURES:
        figure = importlib.import_module(name).measure(options.long)
        missed += not figure.holds
        verdict = "ok" if figure.holds else "MISSED"
        print(f"{verdict:6}  {name:12} {figure.seen} (target {figure.target}): {FIGURES[name]}")
        print(f"{'':20} {figure.details}", flush=True)
    print(f"{missed} missed, {time.perf_counter() - began:.0f} s")
    return missed


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())
