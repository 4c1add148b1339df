"""Test how benchmarks/gpu.py runs parts and prints figures; only a GPU can test the figures."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cupy
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import gpu
import gpu_report
import gpu_targets

FIGURES = {
    "dezero captured": {
        "us": 90.0,
        "used_mb": 220.0,
        "first_call_s": 1.5,
        "declined": ["cuda:conv: no engine"],
    },
    "torch graph": {"us": 100.0, "used_mb": 200.0},
    "torch graph channels last": {"error": "no such format"},
}


def test_a_stand_in_for_cupy_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"stand-in, .*fakes.cupy.__init__.py; remove tests/fakes"):
        gpu.require_real(cupy.__file__)
    gpu.require_real("/usr/lib/python3/site-packages/cupy/__init__.py")


def test_a_row_compares_with_the_fastest_side() -> None:
    target = gpu_targets.Target("cnn64", "tf32", gpu_targets.CAPTURED, gpu_targets.GRAPHS, 1.0, 0.8)
    row = gpu_report.judge_row(target, FIGURES)
    assert (row["ratio"], row["verdict"]) == (0.9, "must")
    assert (row["memory"], row["memory_verdict"]) == (1.1, "must")
    assert (row["first_call_s"], row["first_verdict"]) == (1.5, "must")
    assert row["errors"] == {"torch graph channels last": "no such format"}
    failed = gpu_report.judge_row(target, {**FIGURES, "dezero captured": {"error": "no luck"}})
    assert failed["verdict"] == "not measured" and "ours_us" not in failed
    alone = {side: {"error": "no torch"} for side in gpu_targets.GRAPHS}
    alone["dezero captured"] = FIGURES["dezero captured"]
    assert gpu_report.judge_row(target, alone)["ours_us"] == 90.0
    assert gpu_report.judge_row(target._replace(must=0.8, aim=0.7), FIGURES)["verdict"] == "missed"


def test_the_report_has_one_cell_for_each_column() -> None:
    target = gpu_targets.TARGETS[0]
    row = gpu_report.judge_row(target, FIGURES)
    tests = {"problem": "", "counts": {"PASSED": 1, "FAILED": 1}, "not passed": {"a": "FAILED"}}
    found: dict[str, Any] = {
        "title": "DeZero on a GPU",
        "machine": {"device": "none"},
        "parts": {"kit": tests, "row": {"problem": "KeyError: 'us'"}},
        "rows": [row],
    }
    assert "- row: KeyError: 'us'; {}" in gpu_report.markdown(found)
    assert "declined:\n\n- mlp, tf32: cuda:conv: no engine" in gpu_report.markdown(found)
    assert "- kit: done; {'counts': {'PASSED': 1, 'FAILED': 1}}\n  - a: FAILED" in (
        gpu_report.markdown(found)
    )
    lines = [line for line in gpu_report.markdown(found).splitlines() if line.startswith("|")]
    assert len(lines) == 3 and {line.count("|") for line in lines} == {gpu_report.HEAD.count("|")}


def test_every_row_is_a_workload_and_has_sides() -> None:
    import gpu_rows

    known = {*gpu_rows.IMAGES, *gpu_rows.GPTS, "lstm", "mnist"}
    for target in gpu_targets.TARGETS:
        assert target.workload in known and target.precision in ("float32", "tf32", "bf16")
        assert len(gpu_targets.sides_of(target)) > 1 and target.aim <= target.must


PROGRAMS = {
    "import os; print('before', flush=True); os.abort()": "killed by SIGABRT",
    "import time; print('before', flush=True); time.sleep(60)": "stopped after 1 s",
    "print('before'); raise SystemExit(3)": "exit status 3",
    "print('before')": "",
}


def test_a_part_that_crashes_or_hangs_ends_no_other_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "MIN_PART_S", 0.1)
    session = gpu.Session(tmp_path, tmp_path, 60.0)
    found: dict[str, Any] = {"title": "", "machine": {}, "parts": {}, "rows": []}

    def of_program(code: str) -> dict[str, Any]:
        done = session.run("part", [sys.executable, "-c", code], 0.6)
        assert done.output.startswith("before")
        return gpu.part_of(done)

    def with_error() -> dict[str, Any]:
        raise KeyError("us")

    parts: list[tuple[str, Callable[[], Any]]] = [("error", with_error)]
    parts += [(code, partial(of_program, code)) for code in PROGRAMS]
    start = time.monotonic()
    gpu.run_parts(parts, session, found)
    assert time.monotonic() - start < 30
    written = json.loads((tmp_path / "report.json").read_text())["parts"]
    assert {name: part["problem"] for name, part in written.items()} == {
        "error": "KeyError: 'us'",
        **PROGRAMS,
    }
    assert not gpu.is_reached(found)
    assert gpu.Session(tmp_path, tmp_path, 60.0).name == "report-2"
    assert "cannot be started" in session.run("part", ["/no/such/program"], 9).problem


def test_parts_are_skipped_when_the_budget_is_used_up(tmp_path: Path) -> None:
    session = gpu.Session(tmp_path, tmp_path, gpu.MIN_PART_S - 1)
    done = session.run("part", [sys.executable, "-c", "raise SystemExit(1)"], 60)
    assert done.problem == "not run: the budget of time is used up"


def test_outcomes_are_known_although_a_run_of_tests_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = (
        "a.py::b[x y] PASSED [ 3%]\n::c FAILED [ 6%]\na.py::d SKIPPED (why)\na.py::e \n"
        "[gw1] [  1%] PASSED a.py::e \n[gw0] [ 99%] FAILED a.py::f[x y]\n"
    )
    session = gpu.Session(tmp_path, tmp_path, 60.0)
    monkeypatch.setattr(session, "run", lambda *_: gpu.Done(printed, "stopped after 9 s", 9.0))
    assert gpu.pytest(session, "kit", 1, 9) == {
        "seconds": 9.0,
        "problem": "stopped after 9 s",
        "counts": {"PASSED": 2, "FAILED": 2, "SKIPPED": 1},
        "not passed": {"::c": "FAILED", "a.py::f[x y]": "FAILED"},
    }


@pytest.mark.slow
def test_the_other_tests_run_after_a_fatal_error(tmp_path: Path) -> None:
    (tmp_path / "test_fatal.py").write_text("""
import os

def test_first():
    global process
    process = os.getpid()
    raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

def test_second():
    assert "process" not in globals()
""")
    session = gpu.Session(tmp_path, tmp_path, 60.0, fakes=True)
    found = gpu.pytest(session, "fatal", 1, 50.0, str(tmp_path / "test_fatal.py"))
    assert found["counts"] == {"FAILED": 1, "PASSED": 1}
    assert [name.endswith("test_first") for name in found["not passed"]] == [True]


@pytest.mark.slow
def test_a_dry_run_on_the_stand_ins_runs_each_part(tmp_path: Path) -> None:
    command = [sys.executable, str(gpu.HERE / "gpu.py"), "--dry-run", "--quick", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr  # PyTorch may be missing, and the times are no times
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {name: part["problem"] for name, part in report["parts"].items()} == dict.fromkeys(
        ["diagnosis", "compiler", *[f"tests/gpu/{name}" for name in gpu.GPU_TESTS], "kit"], ""
    )
    assert [row["ours_us"] > 0 for row in report["rows"]] == [True] * 3
    assert "A dry run on stand-ins" in (tmp_path / "out" / "report.md").read_text()
