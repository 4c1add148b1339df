"""Measure DeZero on a GPU beside PyTorch: ``python benchmarks/gpu.py [--quick] [--out FOLDER]``.

The program needs CuPy, PyTorch and a GPU, but neither hatch nor a network; DeZero may be installed,
or is imported from this checkout. It runs the most valuable parts first: a diagnosis, the compiler,
the tests of ``tests/gpu``, the quick rows of the table, the conformance kit, and the other rows.
Each part, or each side of a row, is a process with a time limit, so a part that crashes or hangs
does not end the others. What a process prints is in ``log.txt`` at once, and ``report.json`` and
``report.md`` are written after each part. When the budget of time is used up, the other parts are
skipped. Compare only ratios within a run. docs/gpu.md says how to run the program on a machine that
is lent for a few minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from gpu_report import judge_row, markdown, table_row
from gpu_targets import TARGETS, Target, sides_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
KIT = ROOT / "packages" / "dezero-testing" / "src" / "dezero_testing" / "conformance"
GPU_TESTS = ["test_on_a_gpu.py", "test_capture_on_a_gpu.py"]
PACKAGES = (
    "cupy-cuda13x", "cupy-cuda12x", "nvmath-python", "nvidia-cudnn-frontend", "torch",
    "torchvision", "numpy", "pluggy", "pytest", "hypothesis",
)  # fmt: skip

BUDGET_S = 540.0
"""The number of seconds in which all parts must end, unless ``--budget`` sets another."""

LIMITS_S = {"diagnosis": 30, "compiler": 90, "tests": 100, "row": 75, "kit": 180}
"""The number of seconds after which a process of a part is stopped."""

MIN_PART_S = 5.0
"""A part is skipped if fewer seconds of the budget are left."""

OUTCOME = "(?P<outcome>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)"
OUTCOMES = [
    re.compile(rf"^(?P<test>\S*::.+?) {OUTCOME}\b", re.MULTILINE),
    re.compile(rf"^\[gw\d+\] \[ *\d+%\] {OUTCOME} (?P<test>\S*::.+?) *$", re.MULTILINE),
]
"""Patterns of the line that ``pytest -v`` prints for a test: one without, one with pytest-xdist."""

WORKERS = 8
"""The number of processes that run the kit, if pytest-xdist is installed."""

Found = dict[str, Any]
"""The type of what a process or a part found: figures, or a problem, by their names."""


class Done(NamedTuple):
    """Describe a process that has ended: what it printed, and what went wrong, or ""."""

    output: str
    problem: str
    seconds: float


class Session:
    """Run processes one after the other, each with a time limit, within a budget of time.

    What the processes print is added to ``log.txt`` at once.

    Args:
        folder: the folder for the report and the log.
        outside: an empty folder outside of the checkout, in which the processes run.
        budget: the number of seconds until no process runs any more.
        fakes: whether the processes import the tests' stand-ins for CuPy and NVIDIA's packages.
    """

    def __init__(self, folder: Path, outside: Path, budget: float, fakes: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.outside, self.fakes = folder, outside, fakes
        self.name = unused_name(folder)
        self._log = folder / "log.txt"
        self._deadline = time.monotonic() + budget
        (outside / "pytest.ini").write_text(
            "[pytest]\nfaulthandler_timeout = 40\n"
            "markers =\n    gpu: needs a GPU\n    gpu2: needs two GPUs\n"
        )

    def environment(self) -> dict[str, str]:
        """Return the variables of the processes, which import DeZero from this checkout."""
        given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        fakes = [str(ROOT / "tests" / "fakes")] if self.fakes else []
        sources = map(str, sorted(ROOT.glob("packages/*/src")))
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*fakes, str(HERE), *sources, *given]),
            "PYTHONUNBUFFERED": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }

    def run(self, name: str, command: list[str], limit: float) -> Done:
        """Run a program until it ends, or until its limit or the budget is reached."""
        start = time.monotonic()
        limit = min(limit, self._deadline - start)
        if limit < MIN_PART_S:
            return Done("", "not run: the budget of time is used up", 0.0)
        with self._log.open("ab") as log:
            log.write(f"\n==== {name}: {' '.join(command)}\n".encode())
            log.flush()
            first = log.tell()
            problem = self._wait(command, limit, log)
        output = self._log.read_bytes()[first:].decode(errors="replace")
        return Done(output, problem, time.monotonic() - start)

    def _wait(self, command: list[str], limit: float, log: Any) -> str:
        """Run a program; return what went wrong, or ""."""
        try:
            process = subprocess.Popen(
                command, env=self.environment(), cwd=self.outside, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return f"cannot be started: {error}"
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # also what the process has started
            process.wait()
            return f"stopped after {limit:.0f} s"
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exit status {status}" if status else ""


def unused_name(folder: Path) -> str:
    """Return ``report``, or the first of ``report-2``, ``report-3`` ... that is not in a folder."""
    names = itertools.chain(["report"], map("report-{}".format, itertools.count(2)))
    return next(name for name in names if not (folder / f"{name}.json").exists())


def python(*arguments: str) -> list[str]:
    """Return the command that runs Python without warnings, and prints where it crashes."""
    return [sys.executable, "-W", "ignore", "-X", "faulthandler", *arguments]


def result(done: Done) -> Found:
    """Return the figures that a process printed on its last line ``RESULT``, or its error."""
    lines = [line for line in done.output.splitlines() if line.startswith("RESULT ")]
    if lines:
        found: Found = json.loads(lines[-1].removeprefix("RESULT "))
        return found
    return {"error": f"{done.problem or 'no result'}: {done.output[-300:].strip()}"}


def machine(session: Session) -> dict[str, str]:
    """Return the device, the driver, the path of CuPy, and all versions; stop without a GPU."""
    code = """
import json, cupy
runtime = cupy.cuda.runtime
print("RESULT " + json.dumps({
    "device": runtime.getDeviceProperties(0)["name"].decode(),
    "driver": str(runtime.driverGetVersion()), "cuda": str(runtime.runtimeGetVersion()),
    "cupy.__file__": cupy.__file__, "cupy": cupy.__version__}))
"""
    found: dict[str, str] = result(session.run("machine", python("-c", code), 60))
    if "error" in found:
        raise SystemExit(f"benchmarks/gpu.py: CuPy cannot use a GPU: {found['error']}")
    if not session.fakes:
        require_real(found["cupy.__file__"])
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["python"] = platform.python_version()
    commit = session.run("commit", ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], 10)
    found["commit"] = "unknown" if commit.problem else commit.output.strip()
    return found


def require_real(path: str) -> None:
    """Stop if CuPy is the stand-in of the tests, whose times say nothing about a GPU."""
    if ROOT in Path(path).resolve().parents and "site-packages" not in path:
        raise SystemExit(
            f"benchmarks/gpu.py: `import cupy` finds the tests' stand-in, {path}; remove "
            "tests/fakes from PYTHONPATH and run outside of pytest"
        )


def pytest(session: Session, name: str, workers: int, limit: float, *arguments: str) -> Found:
    """Run tests; return the number of tests by outcome, also if the process is stopped.

    If pytest-xdist is installed, ``workers`` processes run the tests.
    """
    ini = str(session.outside / "pytest.ini")
    plugins = ["-p", "no:cacheprovider", "-p", "gpu_plugins"]
    plugins += ["-p", "xdist", "-n", str(workers)] if find_spec("xdist") else []
    command = python("-m", "pytest", "-v", "--tb=short", "-c", ini, *plugins, *arguments)
    done = session.run(name, command, limit)
    lines = [line for pattern in OUTCOMES for line in pattern.finditer(done.output)]
    outcomes = {line["test"]: line["outcome"] for line in lines}
    bad = {k: v for k, v in outcomes.items() if v in ("FAILED", "ERROR", "XPASS")}
    problem = done.problem or ("" if outcomes else "no test ran")
    found = part_of(done._replace(problem=problem)) | {"counts": dict(Counter(outcomes.values()))}
    return found | ({"not passed": bad} if bad else {})


def part_of(done: Done) -> Found:
    """Return the description of a part for the report."""
    return {"seconds": round(done.seconds, 1), "problem": done.problem}


class Plan:
    """Define the parts of the report, in the order in which they run.

    Args:
        session: runs the processes.
        quick: whether to run only the quick rows, with fewer rounds.
        found: the report, to which each part adds its result.
    """

    def __init__(self, session: Session, quick: bool, found: Found) -> None:
        self.session, self.quick, self.found = session, quick, found
        self._sides: dict[tuple[str, str, str], Found] = {}

    def parts(self) -> list[tuple[str, Callable[[], Found]]]:
        """Return a pair for each part: its name, and the function that runs it."""
        rows = [(self._name(t), t.quick, partial(self.row, t)) for t in self._targets()]
        tests = [(f"tests/gpu/{name}", partial(self.gpu_tests, name)) for name in GPU_TESTS]
        return [
            ("diagnosis", self.diagnosis),
            ("compiler", self.compiler),
            *tests,
            *[(name, run) for name, is_quick, run in rows if is_quick],
            ("kit", self.kit),
            *[(name, run) for name, is_quick, run in rows if not is_quick and not self.quick],
        ]

    def _targets(self) -> list[Target]:
        """Return the rows; with the stand-ins, only those of a small network."""
        return [t for t in TARGETS if t.workload == "mlp" or not self.session.fakes]

    @staticmethod
    def _name(t: Target) -> str:
        return f"{t.workload}, {t.precision}, {t.ours} / {t.theirs[0]}"

    def diagnosis(self) -> Found:
        """Print which devices and libraries DeZero finds."""
        return part_of(
            self.session.run("diagnosis", python("-m", "dezero_cuda"), LIMITS_S["diagnosis"])
        )

    def compiler(self) -> Found:
        """Compile all kernels, so that the rows find them in CuPy's cache."""
        command = python(str(HERE / "gpu_rows.py"), "compiler", "all", "float32")
        done = self.session.run("compiler", command, LIMITS_S["compiler"])
        return part_of(done) | result(done)

    def gpu_tests(self, name: str) -> Found:
        """Run one file of the tests that need a device."""
        some = ["-k", "precision or nested"] if self.session.fakes else []
        path = str(ROOT / "tests" / "gpu" / name)
        return pytest(
            self.session, name, 1, LIMITS_S["tests"], "-m", "gpu", "--noconftest", path, *some
        )

    def kit(self) -> Found:
        """Run the conformance kit on the GPU."""
        some = ["-k", "relu"] if self.session.fakes else []
        workers = 2 if self.session.fakes else WORKERS
        return pytest(
            self.session, "kit", workers, LIMITS_S["kit"], "-p", "dezero_pytest_options",
            f"--confcutdir={KIT}", "--pyargs", "dezero_testing.conformance", "--dezero-backend",
            "cuda", *some,
        )  # fmt: skip

    def row(self, target: Target) -> Found:
        """Time the sides of a row that other rows have not timed, each in a process."""
        figures = {side: self._side(side, target) for side in sides_of(target)}
        self.found["rows"].append(judge_row(target, figures))
        print(table_row(self.found["rows"][-1]), flush=True)
        return {}

    def _side(self, side: str, target: Target) -> Found:
        key = side, target.workload, target.precision
        if key not in self._sides:
            more = [
                *(["--quick"] if self.quick else []),
                *(["--dry-run"] if self.session.fakes else []),
            ]
            command = python(str(HERE / "gpu_rows.py"), *key, *more)
            done = self.session.run(f"row {' '.join(key)}", command, LIMITS_S["row"])
            self._sides[key] = result(done)
        return self._sides[key]


def run_parts(parts: list[tuple[str, Callable[[], Found]]], session: Session, found: Found) -> None:
    """Run all parts, and write the report after each; an error in one does not end the others."""
    for name, run in parts:
        try:
            part = run()
        except Exception as error:
            part = {"problem": f"{type(error).__name__}: {error}"}
        if part:
            found["parts"][name] = part
            print(f"{name}: {part}", flush=True)
        write(session.folder / session.name, found)


def write(path: Path, found: Found) -> None:
    """Write the report as JSON and as Markdown."""
    path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(found) + "\n")


def is_reached(found: Found) -> bool:
    """Return whether all parts ran without a problem, and all rows reached their limits."""
    missed = [row for row in found["rows"] if row["verdict"] in ("missed", "not measured")]
    return not missed and not any(part.get("problem") for part in found["parts"].values())


def profiles(session: Session) -> None:
    """Print Python's share of eager steps."""
    for workload in ("mlp", "cnn64", "lstm"):
        command = python(str(HERE / "gpu_rows.py"), "profile", workload, "float32")
        done = session.run(f"profile {workload}", command, LIMITS_S["row"])
        print(done.output, done.problem, flush=True)


def options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds")
    parser.add_argument("--profile", action="store_true", help="profile eager steps instead")
    parser.add_argument("--out", type=Path, help="the folder for the report and the log")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds for all parts")
    parser.add_argument("--parts", default="", help="run only parts whose names contain this text")
    parser.add_argument(
        "--dry-run", action="store_true",
        help="run a few parts on the tests' stand-ins, which shows that this program works",
    )  # fmt: skip
    return parser.parse_args()


def main() -> int:
    """Run everything; return 1 if a part has a problem or a required ratio was not reached."""
    chosen = options()
    folder = chosen.out or HERE / "results" / f"{date.today()}-gpu"
    with tempfile.TemporaryDirectory() as outside:
        session = Session(folder, Path(outside), chosen.budget, chosen.dry_run)
        return report(session, chosen)


def report(session: Session, chosen: argparse.Namespace) -> int:
    """Run the chosen parts; return the exit status."""
    title = "A dry run on stand-ins, without figures" if chosen.dry_run else "DeZero on a GPU"
    found: Found = {"title": title, "machine": machine(session), "parts": {}, "rows": []}
    for name, value in found["machine"].items():
        print(f"{name:22}{value}", flush=True)
    if chosen.profile:
        profiles(session)
        return 0
    parts = Plan(session, chosen.quick, found).parts()
    run_parts([part for part in parts if chosen.parts in part[0]], session, found)
    print(f"written: {session.folder / session.name}.md and .json, and log.txt")
    return 0 if is_reached(found) else 1


if __name__ == "__main__":
    sys.exit(main())
