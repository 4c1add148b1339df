"""Run every script, and print a scorecard of the counts and their targets.

``hatch run reliability:run [--long] [NAME ...]``
"""

from __future__ import annotations

import argparse
import importlib
import os
import time

FIGURES = {
    "kills": "snapshots lost by kills and Ctrl-C during a save",
    "faults": "files broken by a failing call to the file system",
    "writers": "files broken by two writers at once",
    "hostile": "crafted files that do not raise the expected error",
    "mutations": "damaged files that raise a foreign error, or change the model anyway",
    "flips": "single-bit flips that change a value or key without an error",
    "resumes": "steps (of 100) from which a resumed run ends with other weights",
    "killed_runs": "killed and resumed training runs that end with other weights",
}


def main() -> int:
    """Run the scripts, print a line for each, and return how many missed their target."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--long", action="store_true", help="run the full number of trials")
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
