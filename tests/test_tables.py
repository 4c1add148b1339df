"""Check that parallel runs of the tests print the same tables as a run in one process."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = "packages/dezero-core/tests/test_op_table.py"


def printed_table(*options: str) -> list[str]:
    """Return the lines of the op table that a run of two rows prints."""
    command = [sys.executable, "-m", "pytest", "-q", ROWS, "-k", "test_row and (sin or tanh)"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "trials" in line]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_two_workers_print_what_one_process_prints() -> None:
    alone = printed_table("-p", "no:xdist")
    assert len(alone) >= 2
    assert all("cuda, numpy, strict" in line or "strict, numpy, cuda" in line for line in alone)
    assert printed_table("-n", "2") == alone
