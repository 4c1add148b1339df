"""Test that the scripts count no failure, and that they detect an unsafe save."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import faults
import hostile
import kills
import numpy as np
import pytest
import writers

from dezero_core.state import named_params

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("measure", [faults.measure, hostile.measure], ids=["faults", "hostile"])
def test_a_quick_run_counts_no_failure(measure: Any) -> None:
    figure = measure()
    assert figure.seen == 0, figure.details


def in_place(model: Any, path: Path) -> None:
    """Save as the book does: overwrite the file in place, and delete it after an error."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            np.savez(file, **{key: x.data for key, x in named_params(model).items()})
    except BaseException:
        os.unlink(path)
        raise


SCRIPTS = [faults, *[pytest.param(script, marks=pytest.mark.slow) for script in (writers, kills)]]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_saves_in_place_are_detected(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "save_weights", in_place)
    assert script.measure().seen > 0


@pytest.mark.slow  # .ci/run also prints the whole scorecard
def test_a_script_prints_its_count() -> None:
    done = subprocess.run(
        [sys.executable, HERE / "faults.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("0 ") and "calls failed" in done.stdout
