"""Measure DeZero on a GPU beside PyTorch: ``python benchmarks/gpu.py [--quick] [--profile]``.

The program needs CuPy, PyTorch and a GPU, but neither hatch nor a network; DeZero may be installed,
or is imported from this checkout. It prints the device and all versions, runs the conformance kit,
the book's MNIST program and the table of targets, and writes JSON and Markdown to
``benchmarks/results``. Each side of a row runs in a process of its own, in the precision that the
row names. Compare only ratios within a run. ``--profile`` shows Python's share of eager steps
instead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
KIT = ROOT / "packages" / "dezero-testing" / "src" / "dezero_testing" / "conformance"
PACKAGES = (
    "cupy-cuda13x", "cupy-cuda12x", "nvmath-python", "nvidia-cudnn-frontend", "torch", "numpy",
)  # fmt: skip
LIMIT_S = 300
"""The number of seconds after which a process is stopped."""

EAGER, CAPTURED = "dezero", "dezero captured"
TORCH = ("torch", "torch channels last")
GRAPHS = ("torch graph", "torch graph channels last")
FORMATTED = ("cnn64", "cnn1024", "six convolutions", "vgg16", "resnet50")
"""Workloads for which PyTorch also runs in its channels-last memory format."""


class Target(NamedTuple):
    """Describe a row of the report: DeZero's time divided by another side's, and its limits.

    Attributes:
        workload: a workload of ``gpu_rows.py``.
        precision: the precision of both sides.
        ours: DeZero's side.
        theirs: the other sides. The ratio uses the fastest of these.
        must, aim: the ratio that is required, and the ratio to aim for.
        quick: whether ``--quick`` runs the row.
    """

    workload: str
    precision: str
    ours: str
    theirs: tuple[str, ...]
    must: float
    aim: float
    quick: bool = False


TARGETS = [
    Target("mlp", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("mlp", "float32", CAPTURED, GRAPHS, 1.0, 0.9),
    Target("cnn64", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("cnn64", "float32", CAPTURED, GRAPHS, 1.0, 0.9),
    Target("cnn1024", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("six convolutions", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("vgg16", "tf32", CAPTURED, GRAPHS, 1.05, 0.9),
    Target("resnet50", "tf32", CAPTURED, GRAPHS, 1.05, 0.9),
    Target("vgg16", "bf16", CAPTURED, GRAPHS, 1.2, 1.0),
    Target("resnet50", "bf16", CAPTURED, GRAPHS, 1.2, 1.0),
    Target("gpt 128", "tf32", CAPTURED, GRAPHS, 1.2, 1.0, True),
    Target("gpt 256", "tf32", CAPTURED, GRAPHS, 1.2, 1.0),
    Target("gpt 768", "tf32", CAPTURED, GRAPHS, 1.1, 1.0),
    Target("mlp", "tf32", CAPTURED, TORCH, 1 / 10, 1 / 13, True),
    Target("cnn64", "tf32", CAPTURED, TORCH, 1 / 5, 1 / 6, True),
    Target("lstm", "tf32", CAPTURED, TORCH, 1.0, 0.6, True),
    Target("mlp", "tf32", EAGER, TORCH, 1.0, 0.8, True),
    Target("cnn64", "tf32", EAGER, TORCH, 1.2, 1.0, True),
    Target("cnn1024", "tf32", EAGER, TORCH, 0.9, 0.75, True),
    Target("vgg16", "tf32", EAGER, TORCH, 1.0, 0.9),
    Target("resnet50", "tf32", EAGER, TORCH, 1.3, 1.0),
    Target("mnist", "float32", EAGER, ("dezero cpu",), 1 / 3, 1 / 5, True),
    Target("mnist", "float32", CAPTURED, ("dezero cpu",), 1 / 10, 1 / 20, True),
]
MEMORY_MUST, MEMORY_AIM = 1.2, 1.0
"""The limits of the ratio of memory in use: DeZero's divided by that of the fastest other side."""

FIRST_CALL_MUST, FIRST_CALL_AIM = 2.0, 1.0
"""The limits, in seconds, of the time of the first four calls; the last of them replays a graph."""


def environment() -> dict[str, str]:
    """Return the variables of child processes, which import DeZero from this checkout."""
    path = [str(HERE), *map(str, sorted(ROOT.glob("packages/*/src"))), *given_path()]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def given_path() -> list[str]:
    """Return the folders in the environment variable PYTHONPATH."""
    return [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


def device() -> dict[str, str]:
    """Return the device, the driver, the path of CuPy, and all versions; stop without a GPU."""
    code = """
import json, cupy
runtime = cupy.cuda.runtime
print(json.dumps({
    "device": runtime.getDeviceProperties(0)["name"].decode(),
    "driver": str(runtime.driverGetVersion()), "cuda": str(runtime.runtimeGetVersion()),
    "cupy.__file__": cupy.__file__, "cupy": cupy.__version__}))
"""
    done = run([sys.executable, "-c", code])
    if done.returncode:
        raise SystemExit(f"benchmarks/gpu.py: CuPy cannot use a GPU:\n{done.stderr[-600:]}")
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    require_real(found["cupy.__file__"])
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["python"] = platform.python_version()
    commit = run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    found["commit"] = commit.stdout.strip() or "unknown"
    return found


def require_real(path: str) -> None:
    """Stop if CuPy is the stand-in of the tests, whose times say nothing about a GPU."""
    if ROOT in Path(path).resolve().parents and "site-packages" not in path:
        raise SystemExit(
            f"benchmarks/gpu.py: `import cupy` finds the tests' stand-in, {path}; remove "
            "tests/fakes from PYTHONPATH and run outside of pytest"
        )


def run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with a time limit, and return its exit status and its output."""
    try:
        return subprocess.run(
            command, env=environment(), cwd=folder, capture_output=True, text=True, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"stopped after {LIMIT_S} s")


def kit() -> dict[str, Any]:
    """Run the conformance kit on the GPU, and return the number of tests by outcome."""
    code = f"""
import sys, gpu_rows, pytest
gpu_rows.load_plugins()
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", {f"--confcutdir={KIT}"!r}, "--pyargs",
    "dezero_testing.conformance", "--dezero-backend", "cuda", "--dezero-json", "kit.json"]))
"""
    with tempfile.TemporaryDirectory() as folder:
        done = run([sys.executable, "-c", code], Path(folder))
        path = Path(folder) / "kit.json"
        if not path.exists():
            return {"error": (done.stdout + done.stderr)[-600:]}
        tests: dict[str, str] = json.loads(path.read_text())["tests"]
    counts = {outcome: list(tests.values()).count(outcome) for outcome in {*tests.values()}}
    return {"counts": counts, "not passed": {k: v for k, v in tests.items() if v != "passed"}}


def gpu_tests() -> str:
    """Run the tests that need a device, and return the last line of pytest's output."""
    arguments = ["-q", "-p", "no:cacheprovider", "-m", "gpu", "--noconftest", f"{ROOT}/tests/gpu"]
    code = f"import gpu_rows, pytest; gpu_rows.load_plugins(); pytest.main({arguments!r})"
    lines = run([sys.executable, "-c", code]).stdout.strip().splitlines()
    return lines[-1] if lines else f"no result within {LIMIT_S} s"


def measure(side: str, target: Target, quick: bool) -> dict[str, Any]:
    """Time one side of a row in a new process."""
    script = [sys.executable, "-W", "ignore", str(HERE / "gpu_rows.py")]
    more = ["--quick"] if quick else []
    done = run([*script, side, target.workload, target.precision, *more])
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result: dict[str, Any] = (
        json.loads(lines[-1].removeprefix("RESULT ")) if lines else {"error": done.stderr[-300:]}
    )
    return result


def sides_of(target: Target) -> list[str]:
    """Return the sides that a row runs."""
    theirs = [
        side
        for side in target.theirs
        if not side.endswith("channels last") or target.workload in FORMATTED
    ]
    return [target.ours, *theirs]


def judged(target: Target, figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a row of the table: the fastest times, the ratios, and whether the limits are met."""
    ours = figures[target.ours]
    theirs = [figures[side] for side in sides_of(target)[1:] if "us" in figures[side]]
    row: dict[str, Any] = {**target._asdict(), "figures": figures}
    errors = {side: found["error"] for side, found in figures.items() if "error" in found}
    if errors:
        row["errors"] = errors
    if "us" not in ours or not theirs:
        return {**row, "verdict": "not measured"}
    best = min(theirs, key=lambda found: found["us"])
    row |= {"ours_us": ours["us"], "theirs_us": best["us"], "ratio": ours["us"] / best["us"]}
    row["verdict"] = verdict(row["ratio"], target.must, target.aim)
    if best.get("used_mb", 0) > 0 and "used_mb" in ours:
        row["memory"] = ours["used_mb"] / best["used_mb"]
        row["memory_verdict"] = verdict(row["memory"], MEMORY_MUST, MEMORY_AIM)
    if "first_call_s" in ours:
        row["first_call_s"] = ours["first_call_s"]
        row["first_verdict"] = verdict(ours["first_call_s"], FIRST_CALL_MUST, FIRST_CALL_AIM)
    return row


def verdict(figure: float, must: float, aim: float) -> str:
    """Return how a figure compares with its limits."""
    return "aim" if figure <= aim else "must" if figure <= must else "missed"


HEAD = (
    "| workload | precision | side | DeZero, us | other side, us | ratio | must | aim | reached "
    "| memory ratio | reached | first calls, s | reached |"
)


def markdown(found: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = ["# DeZero on a GPU", "", *[f"- {k}: {v}" for k, v in found["machine"].items()], ""]
    tests = found["kit"]
    lines += [f"Conformance kit: {tests.get('counts', tests)}.", ""]
    lines += [f"Tests in tests/gpu: {found['tests/gpu']}.", ""]
    lines += [f"- {name}: {outcome}" for name, outcome in tests.get("not passed", {}).items()]
    lines += ["", "A ratio is DeZero's time divided by the other side's: lower is better.", ""]
    lines += [HEAD, "|" + "---|" * (HEAD.count("|") - 1)]
    lines += [table_row(row) for row in found["rows"]]
    errors = [
        f"- {row['workload']}, {row['precision']}, {side}: {error}"
        for row in found["rows"]
        for side, error in row.get("errors", {}).items()
    ]
    return "\n".join([*lines, "", *(["Errors:", "", *errors, ""] if errors else [])])


def table_row(row: dict[str, Any]) -> str:
    """Return a row as a line of the Markdown table."""

    def cell(name: str, form: str) -> str:
        return format(row[name], form) if name in row else ""

    cells = (
        row["workload"], row["precision"], f"{row['ours']} / {row['theirs'][0]}",
        cell("ours_us", ".0f"), cell("theirs_us", ".0f"), cell("ratio", ".2f"),
        f"{row['must']:.2f}", f"{row['aim']:.2f}", row["verdict"], cell("memory", ".2f"),
        cell("memory_verdict", ""), cell("first_call_s", ".2f"), cell("first_verdict", ""),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Run everything; return 1 if a test failed or a required ratio was not reached."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer rows and rounds")
    options.add_argument("--profile", action="store_true", help="profile eager steps instead")
    chosen = options.parse_args()
    machine = device()
    for name, value in machine.items():
        print(f"{name:22}{value}", flush=True)
    if chosen.profile:
        for workload in ("mlp", "cnn64", "lstm"):
            script = [sys.executable, str(HERE / "gpu_rows.py"), "profile", workload, "float32"]
            done = run(script)
            print(done.stdout or done.stderr, flush=True)
        return 0
    found: dict[str, Any] = {"machine": machine, "quick": chosen.quick, "kit": kit(), "rows": []}
    print(found["kit"].get("counts", found["kit"]), flush=True)
    found["tests/gpu"] = gpu_tests()
    print(f"tests/gpu: {found['tests/gpu']}", flush=True)
    cache: dict[tuple[str, str, str], dict[str, Any]] = {}
    for target in TARGETS:
        if chosen.quick and not target.quick:
            continue
        figures = {}
        for side in sides_of(target):
            key = side, target.workload, target.precision
            if key not in cache:
                cache[key] = measure(side, target, chosen.quick)
            figures[side] = cache[key]
        found["rows"].append(judged(target, figures))
        print(table_row(found["rows"][-1]), flush=True)
    return write(found)


def write(found: dict[str, Any]) -> int:
    """Write the report to ``benchmarks/results``; return the exit status."""
    name = f"{date.today()}-gpu-{found['machine']['device'].replace(' ', '-')}"
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(markdown(found) + "\n")
    print(f"written: {RESULTS / name}.md and .json")
    missed = [row for row in found["rows"] if row["verdict"] in ("missed", "not measured")]
    counts = found["kit"].get("counts", {"failed": 1})
    failed = any(counts.get(outcome) for outcome in ("failed", "crashed", "not run"))
    failed = failed or "failed" in found["tests/gpu"] or "passed" not in found["tests/gpu"]
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
