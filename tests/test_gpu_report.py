"""Test how benchmarks/gpu.py judges and prints its figures; only a GPU can test the figures."""

import sys
from pathlib import Path
from typing import Any

import cupy
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import gpu

FIGURES = {
    "dezero captured": {"us": 90.0, "used_mb": 220.0, "first_call_s": 1.5},
    "torch graph": {"us": 100.0, "used_mb": 200.0},
    "torch graph channels last": {"error": "no such format"},
}


def test_a_stand_in_for_cupy_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"stand-in, .*fakes.cupy.__init__.py; remove tests/fakes"):
        gpu.require_real(cupy.__file__)
    gpu.require_real("/usr/lib/python3/site-packages/cupy/__init__.py")


def test_a_row_compares_with_the_fastest_side() -> None:
    target = gpu.Target("cnn64", "tf32", gpu.CAPTURED, gpu.GRAPHS, 1.0, 0.8)
    row = gpu.judged(target, FIGURES)
    assert (row["ratio"], row["verdict"]) == (0.9, "must")
    assert (row["memory"], row["memory_verdict"]) == (1.1, "must")
    assert (row["first_call_s"], row["first_verdict"]) == (1.5, "must")
    assert row["errors"] == {"torch graph channels last": "no such format"}
    failed = gpu.judged(target, {**FIGURES, "dezero captured": {"error": "no luck"}})
    assert failed["verdict"] == "not measured"
    assert gpu.judged(target._replace(must=0.8, aim=0.7), FIGURES)["verdict"] == "missed"


def test_the_report_has_one_cell_for_each_column() -> None:
    target = gpu.TARGETS[0]
    row = gpu.judged(target, FIGURES)
    found: dict[str, Any] = {
        "machine": {"device": "none"},
        "kit": {"counts": {"passed": 1}},
        "rows": [row],
    }
    found["tests/gpu"] = "9 passed in 3 s"
    lines = [line for line in gpu.markdown(found).splitlines() if line.startswith("|")]
    assert len(lines) == 3 and {line.count("|") for line in lines} == {gpu.HEAD.count("|")}


def test_every_row_is_a_workload_and_has_sides() -> None:
    import gpu_rows

    known = {*gpu_rows.IMAGES, *gpu_rows.GPTS, "lstm", "mnist"}
    for target in gpu.TARGETS:
        assert target.workload in known and target.precision in ("float32", "tf32", "bf16")
        assert len(gpu.sides_of(target)) > 1 and target.aim <= target.must
