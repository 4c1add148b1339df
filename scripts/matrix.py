"""Run every cell of the test matrix: `python scripts/matrix.py [PART OF A NAME ...]`.

`hatch run test:run` stops at the first cell that fails, and succeeds if all are skipped. This
script runs every cell, and fails if a cell failed or none ran.
"""

import json
import subprocess
import sys
from collections import Counter


def cells(parts: list[str]) -> list[str]:
    """Return the names of the matrix environments that contain all of these parts."""
    shown = subprocess.run(
        ["hatch", "env", "show", "--json"], capture_output=True, text=True, check=True
    )
    names = [name for name in json.loads(shown.stdout) if name.startswith("test.")]
    return [name for name in names if all(part in name for part in parts)]


def run(cell: str) -> str:
    """Run one cell; print its output if it fails; return a short result."""
    done = subprocess.run(["hatch", "run", f"{cell}:run"], capture_output=True, text=True)
    output = done.stdout + done.stderr
    if "cannot locate Python" in output:
        return "skipped: no such Python on the path"
    if done.returncode != 0:
        print(output)
        return "FAILED"
    return "passed: " + done.stdout.strip().splitlines()[-1]


results: Counter[str] = Counter()
for cell in cells(sys.argv[1:]):
    result = run(cell)
    results[result.split(":")[0]] += 1
    print(f"{cell:45} {result}", flush=True)
print(dict(results))
sys.exit(1 if results["FAILED"] or not results["passed"] else 0)
