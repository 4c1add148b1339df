"""The conformance kit over several backends, and one table: `hatch run conformance:run`.

Each backend is looked at in a process of its own, in an empty folder. The exit status says
whether all passed, and nothing was skipped but what ALLOWED says.
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
ALLOWED: dict[str, set[str]] = {
    "numpy": set(),
    "strict": {IN_PLACE, RANDOM, "arrays/exchange by DLPack"},
    "torch": set(),
    "jax": {IN_PLACE},
    "cuda": set(),  # CuPy is the stand-in of tests/fakes
}
COLUMNS = ("passed", "failed", "xfailed", "skipped", "does not apply")


def look_at(backend: str) -> dict[str, dict[str, int]] | None:
    """The kit's counts by level for one backend, or None if it did not get that far."""
    environment = dict(os.environ)
    if backend == "cuda":
        environment["PYTHONPATH"] = str(ROOT / "tests" / "fakes")
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"--confcutdir={KIT}", "--pyargs", "dezero_testing.conformance"]
        command += ["--dezero-backend", backend, "--dezero-json", "outcomes.json"]
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
    """Look at the backends named on the command line, or at all."""
    backends = sys.argv[1:] or [*ALLOWED]
    found = {}
    for backend in backends:
        print(f"looking at {backend} ...", file=sys.stderr, flush=True)
        found[backend] = look_at(backend)
    levels = [level for counts in found.values() if counts for level in counts]
    print(f"{'level':14}" + "".join(f"{backend:>12}" for backend in backends))
    for level in dict.fromkeys(levels):
        cells = [summary([(counts or {}).get(level, {})]) for counts in found.values()]
        print(f"{level:14}" + "".join(f"{cell:>12}" for cell in cells))
    totals = [summary((counts or {}).values()) for counts in found.values()]
    print(f"{'all':14}" + "".join(f"{cell:>12}" for cell in totals))
    print("passed/failed/expected to fail/skipped/does not apply")
    return 0 if all(map(is_green, found.values())) else 1


def is_green(counts: dict[str, dict[str, int]] | None) -> bool:
    """Whether a backend was looked at, and nothing failed."""
    return counts is not None and not any(level.get("failed") for level in counts.values())


def summary(counts: object) -> str:
    """Counts as one word."""
    return "/".join(str(sum(c.get(column, 0) for c in counts)) for column in COLUMNS)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
