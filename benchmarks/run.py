"""Measure DeZero beside PyTorch and the book's framework: `hatch run bench:run`.

Every figure is the median over rounds. In each round the sides run one after the other, each in a
new process with the garbage collector on and the same thread count: one, then two if there are two
cores. PyTorch's side of a convolutional row is the faster of its two memory formats; of a
transformer's row, the faster of PyTorch's own attention and attention written out. DeZero runs in
plain NumPy, and rows that dezero-onednn accelerates also run with it; the run fails if both miss a
limit. Compare only ratios within a run. The book's framework has an environment of its own, named
book. The row of MNIST epochs reads the files in the folder DEZERO_DATA, and is skipped without it.
Rows that compare with torchvision are skipped if torchvision is not installed.

With ``--save`` the table is written to ``benchmarks/results/``, as Markdown and as JSON with every
figure. ``--profile ROW`` shows where the time of DeZero's steps goes instead.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from convolutions import GRID, drawn
from rows import ROWS, Row

HERE = Path(__file__).parent
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FORMATS = ("torch", "torch channels last")
VARIANTS = (*FORMATS, "torch eager")
"""The sides of PyTorch; a row reports the fastest of those that it has."""
ACCELERATED, ONEDNN = "dezero onednn", ", onednn"
NAMES = {
    "torch": "PyTorch",
    "book": "the book",
    "numpy": "NumPy",
    "torchvision": "torchvision",
    "dezero one worker": "one worker",
    "dezero short": "2,000 ops",
    "dezero verify": "with SHA-256",
    ACCELERATED: "with dezero-onednn",
    "safetensors": "safetensors",
    "torch uncached": "PyTorch, no cache",
    "allowed": "allowed",
}
LIMITS_OF_GRID = {"median": 1.0, "worst": 2.0}
LIMIT_OF_IMPORT = 60.0
"""Milliseconds that importing DeZero's core may take on top of importing NumPy."""


@dataclass
class Result:
    """The figures of every side of a row for a thread count, their ratios and missed limits."""

    row: str
    threads: int
    unit: str
    figures: dict[str, list[float]]
    lines: list[str] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def missed_plainly(self) -> list[str]:
        """Return the limits that plain NumPy misses."""
        return [label for label in self.missed if not label.endswith(ONEDNN)]

    def missed_by_all(self) -> list[str]:
        """Return the limits that both plain NumPy and dezero-onednn miss."""
        accelerated = any("onednn" in label for label in self.ratios)
        return [
            label
            for label in self.missed_plainly()
            if not accelerated or label + ONEDNN in self.missed
        ]


@cache
def python_for(side: str) -> str:
    """Return the Python of the environment that has a side's library; the book's has its own."""
    if side != "book":
        return sys.executable
    hatch = shutil.which("hatch") or sys.exit("the book's framework needs hatch on the PATH")
    subprocess.run([hatch, "run", "book:ready"], check=True, stdout=sys.stderr)
    found = subprocess.run([hatch, "env", "find", "book"], check=True, capture_output=True)
    return str(Path(found.stdout.decode().strip()) / "bin" / "python")


def output(script: str, arguments: list[str], threads: int, may_die: bool = False) -> str:
    """Run a script in a new process and return what it prints; its last argument is the side.

    With ``may_die``, a process that a signal killed is not an error.
    """
    *others, side = arguments
    environment = {**os.environ, **dict.fromkeys(POOLS, str(threads)), "DEZERO_ONEDNN": "off"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # cache bytecode, as for an installed package
    if side == ACCELERATED:
        del environment["DEZERO_ONEDNN"]
        side = "dezero"
    command = [python_for(side), str(HERE / script), *others, side]
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE)
    if not (may_die and done.returncode < 0):
        done.check_returncode()
    return done.stdout


def alternate(name: str, rounds: int, threads: int) -> dict[str, list[float]]:
    """Return the figures of all sides; every other round runs them in reversed order."""
    sides = [*ROWS[name].sides, *([ACCELERATED] if ROWS[name].accelerated else [])]
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            figures[side].append(float(output("rows.py", [name, side], threads)))
            progress(f"{name}, {threads} threads: round {number + 1}/{rounds}, {side}")
    return figures


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def measured(name: str, row: Row, rounds: int, threads: int) -> Result:
    """Measure a row; compute the ratios from the medians."""
    figures = alternate(name, rounds, threads)
    result = Result(name, threads, row.unit, figures)
    ours, *others = figures
    median = {side: statistics.median(values) for side, values in figures.items()}
    best = min((side for side in others if side in VARIANTS), key=median.__getitem__, default="")
    for side in others:
        if side == ACCELERATED or (side in VARIANTS and side != best):
            continue
        label = "torch" if side == best else side
        line = f"{NAMES[label]} {spread(figures[side])}:"
        line += verdict(result, label, median[ours] / median[side])
        if ACCELERATED in median:
            line += f"; {NAMES[ACCELERATED]}"
            line += verdict(result, label + ONEDNN, median[ACCELERATED] / median[side])
        result.lines.append(line)
    if ACCELERATED in median:
        result.lines.insert(0, f"{NAMES[ACCELERATED]} {spread(figures[ACCELERATED])}")
    if name == "import":
        extra = (median[ours] - median["numpy"]) / 1000
        if extra > LIMIT_OF_IMPORT:
            result.missed.append("numpy")
        result.lines.append(f"NumPy + {extra:.0f} ms, at most {LIMIT_OF_IMPORT:.0f} ms")
    return result


def verdict(result: Result, label: str, ratio: float) -> str:
    """Compare a ratio with its limit and aim, record it in the result, and return the text."""
    row, side = ROWS[result.row], label.partition(",")[0]
    result.ratios[label] = round(ratio, 3)
    line, limit = f" {ratio:.2f}", row.limits.get(side)
    if limit is not None:
        must = limit if isinstance(limit, float) else limit[result.threads - 1]
        if ratio > must:
            result.missed.append(label)
        line += f", at most {must:.2f}: {'MISSED' if ratio > must else 'ok'}"
    if side == "torch" and row.aims:
        aim = row.aims[result.threads - 1]
        line += f" (aim {aim:.2f}{' reached' if ratio <= aim else ''})"
    return line


def seconds_of_shapes(side: str, extra: list[str], count: int, threads: int) -> list[float]:
    """Return seconds for each shape; inf if PyTorch crashes, as some do in channels last."""
    found: list[float] = []
    while len(found) < count:
        arguments = [*extra, "--from", str(len(found)), side]
        lines = output("convolutions.py", arguments, threads, may_die=side in FORMATS)
        found += [float(line) for line in lines.split()]
        if len(found) < count:
            found.append(math.inf)
    return found


def convolutions(threads: int, seed: str | None) -> Result:
    """Measure a grid of single convolutions; report the worst and the median ratio."""
    extra = [] if seed is None else ["--seed", seed]
    figures: dict[str, list[float]] = {}
    shapes = drawn(int(seed)) if seed else GRID
    for side in ("dezero", ACCELERATED, *FORMATS):
        progress(f"convolutions, {threads} threads: {side}")
        figures[side] = seconds_of_shapes(side, extra, len(shapes), threads)
    name = "convolutions" if seed is None else f"convolutions, drawn from {seed}"
    result = Result(name, threads, "s per shape", figures)
    theirs = [min(pair) for pair in zip(*(figures[side] for side in FORMATS), strict=True)]
    for side in ("dezero", ACCELERATED):
        ratios = [a / b for a, b in zip(figures[side], theirs, strict=True)]
        found = {"median": statistics.median(ratios), "worst": max(ratios)}
        judged = []
        for what, must in LIMITS_OF_GRID.items():
            result.ratios[f"{what}, {side}"] = round(found[what], 2)
            missed = found[what] > must
            judged.append(f"{what} {found[what]:.2f}, {'MISSED' if missed else 'ok'}")
            if missed:
                result.missed.append(what + (ONEDNN if side == ACCELERATED else ""))
        result.lines.append(
            f"{NAMES.get(side, 'DeZero')}: {'; '.join(judged)}; of {len(ratios)} shapes "
            f"{sum(ratio <= 1 for ratio in ratios)} at most 1, {sum(r > 2 for r in ratios)} above 2"
        )
    return result


def shown(result: Result) -> str:
    """Return the lines of the table for a result."""
    head = f"{result.row:16} {result.threads} thr  {result.unit:14}"
    if result.row.startswith("conv"):
        return f"\n{' ' * 23}".join([f"{head} beside PyTorch", *result.lines])
    ours = spread(result.figures[next(iter(result.figures))])
    return "\n".join([f"{head} DeZero {ours}", *(" " * 23 + line for line in result.lines)])


def reason_to_skip(name: str) -> str:
    """Return why this machine cannot run a row, or an empty string if it can."""
    if name == "mnist epoch" and "DEZERO_DATA" not in os.environ:
        return "DEZERO_DATA is not set"
    needs_torchvision = name in ROWS and "torchvision" in ROWS[name].sides
    if needs_torchvision and find_spec("torchvision") is None:
        return "torchvision is not installed"
    return ""


def machine() -> str:
    """Describe the machine and the Python that measure."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return f"Python {platform.python_version()}, {cpu}, {os.cpu_count()} cores, collector on"


def save(results: list[Result], folder: Path) -> None:
    """Write the table and all figures to files named by the date."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{date.today()}-{platform.machine()}-{os.cpu_count()}-cores"
    everything = {"machine": machine(), "results": [asdict(result) for result in results]}
    path.with_suffix(".json").write_text(json.dumps(everything, indent=1) + "\n")
    table = "\n".join(shown(result) for result in results)
    path.with_suffix(".md").write_text(f"# {date.today()}\n\n{machine()}\n\n```\n{table}\n```\n")
    print(f"\nwritten to {path}.md and .json")


def main() -> int:
    """Run the selected rows; return 1 if a limit is missed by all, else 0."""
    names = [*ROWS, "convolutions"]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds at most")
    parser.add_argument("--only", choices=names, action="append", help="run only this row")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="use only this thread count")
    parser.add_argument("--seed", help="draw random shapes of convolutions with this seed")
    parser.add_argument("--save", action="store_true", help="write the table to results/")
    parser.add_argument(
        "--profile", choices=[*ROWS], metavar="ROW", help="profile DeZero's step of a row"
    )
    options = parser.parse_args()

    if options.profile:
        print(output("profiled.py", [options.profile], options.threads or 1))
        return 0
    print(f"{machine()}\nmedians over rounds of alternating processes\n")
    results: list[Result] = []
    counts = [options.threads] if options.threads else [1, 2][: os.cpu_count()]
    for name in options.only or names:
        if reason := reason_to_skip(name):
            print(f"{name:16} skipped: {reason}")
            continue
        for threads in counts if name == "convolutions" or ROWS[name].threaded else counts[:1]:
            if name == "convolutions":
                results.append(convolutions(threads, options.seed))
            else:
                row = ROWS[name]
                rounds = min(3, row.rounds) if options.quick else row.rounds
                results.append(measured(name, row, rounds, threads))
            print(shown(results[-1]), flush=True)
    named = {f"{result.row} ({result.threads})": result for result in results}
    plainly = [name for name, result in named.items() if result.missed_plainly()]
    by_all = [name for name, result in named.items() if result.missed_by_all()]
    print(f"\nmissed in plain NumPy: {', '.join(plainly) or 'none'}")
    print(f"missed with dezero-onednn too: {', '.join(by_all) or 'none'}")
    if options.save:
        save(results, HERE / "results")
    return 1 if by_all else 0


if __name__ == "__main__":
    sys.exit(main())
