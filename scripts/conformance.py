"""Run the conformance kit on several backends and print one table: `hatch run conformance:run`.

Each backend is tested in its own process, in an empty folder. The exit status is 0 if all tests
passed and only those in ALLOWED were skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
KIT = ROOT / "packages" / "dezero-testing" / "src" / "dezero_testing" / "conformance"

IN_PLACE, RANDOM = "arrays/writing in place", "arrays/random numbers of its own"
INDEX_ERRORS = "arrays/indices beyond the end"
ALLOWED: dict[str, set[str]] = {  # the tests that a backend may skip
    "numpy": set(),
    "strict": {IN_PLACE, RANDOM, "arrays/exchange by DLPack"},
    "torch": set(),
    "jax": {IN_PLACE, INDEX_ERRORS},
    "mlx": {IN_PLACE, INDEX_ERRORS, "arrays/exchange by DLPack"},  # on the CPU
    "cuda": {INDEX_ERRORS},  # on the stand-in for CuPy in tests/fakes
}
OPTIONS = {"jax": ["-n", "2"]}  # JAX compiles each function for each shape, in 25 ms
COLUMNS = ("passed", "failed", "xfailed", "skipped", "does not apply")


def run_kit(backend: str) -> dict[str, dict[str, int]] | None:
    """Return the kit's counts by level for one backend, or None if it ran no test."""
    environment = dict(os.environ)
    if backend == "cuda":
        environment["PYTHONPATH"] = str(ROOT / "tests" / "fakes")
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"--confcutdir={KIT}", "--pyargs", "dezero_testing.conformance"]
        command += ["--dezero-backend", backend, "--dezero-json", "outcomes.json"]
        command += OPTIONS.get(backend, [])
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        path = Path(folder) / "outcomes.json"
        content = json.loads(path.read_text()) if path.exists() else None
    if done.returncode != 0 or content is None:
        print(done.stdout[-6000:], done.stderr[-2000:])
        return None if content is None else content["levels"]
    skipped = {name for name, outcome in content["tests"].items() if outcome == "skipped"}
    allowed = ALLOWED.get(backend, set())
    if skipped != allowed:
        print(f"{backend}: skipped {sorted(skipped)}, allowed {sorted(allowed)}")
        return None
    return content["levels"]


def main() -> int:
    """Test the backends named on the command line, or all of them, and print the table."""
    backends = sys.argv[1:] or [*ALLOWED]
    found = {}
    for backend in backends:
        print(f"testing {backend} ...", file=sys.stderr, flush=True)
        found[backend] = run_kit(backend)
    levels = [level for counts in found.values() if counts for level in counts]
    print(f"{'level':14}" + "".join(f"{backend:>14}" for backend in backends))
    for level in dict.fromkeys(levels):
        cells = [summary([(counts or {}).get(level, {})]) for counts in found.values()]
        print(f"{level:14}" + "".join(f"{cell:>14}" for cell in cells))
    totals = [summary((counts or {}).values()) for counts in found.values()]
    print(f"{'all':14}" + "".join(f"{cell:>14}" for cell in totals))
    print("passed/failed/expected to fail/skipped/does not apply")
    return 0 if all(map(is_green, found.values())) else 1


def is_green(counts: dict[str, dict[str, int]] | None) -> bool:
    """Return whether a backend was tested and nothing failed."""
    return counts is not None and not any(
        level.get("failed") or level.get("crashed") for level in counts.values()
    )


def summary(counts: object) -> str:
    """Return the sums of the counts in the order of COLUMNS, separated by ``/``."""
    return "/".join(str(sum(c.get(column, 0) for c in counts)) for column in COLUMNS)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
