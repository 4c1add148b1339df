"""Check that mypy accepts right calls of the public API and refuses the marked wrong ones."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_accepts_right_calls_and_refuses_wrong_ones(tmp_path: Path) -> None:
    settings = ["--config-file", "pyproject.toml", "--cache-dir", str(tmp_path)]
    command = [sys.executable, "-m", "mypy", *settings, "tests/typing/calls.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
