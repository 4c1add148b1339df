"""Check how the process of a rank ends, and what its parent reports."""

import os
import signal
import subprocess
import sys

import pytest

RANK_1 = "s.RECORD[s.RANK], s.RECORD[s.SIZE], s.RECORD[s.STEP] = 1, 3, 30"
ENDS = {
    "as planned": ("s.RECORD[s.STATE] = s.LEFT", 0, ""),
    "an error after a report": ("s.RECORD[s.STATE] = s.REPORTED; os._exit(3)", 3, ""),
    "an exit status": (
        "s.RECORD[s.STATE] = s.RUNNING; os._exit(3)",
        -signal.SIGTERM,
        "ended with exit status 3 in the middle of its work",
    ),
    "no error, but too early": (
        "s.RECORD[s.STATE] = s.RUNNING; os._exit(0)",
        -signal.SIGTERM,
        "ended with exit status 0 in the middle of its work",
    ),
    "an error before the start": (
        "raise ValueError('x')",
        -signal.SIGTERM,
        "failed before it was connected to the other ranks",
    ),
    "killed": (
        "os.kill(os.getpid(), 9)",
        -signal.SIGKILL,
        "was ended by signal 9 (SIGKILL), and ends all ranks",
    ),
    "a signal sent to the parent": (
        "os.kill(os.getppid(), signal.SIGTERM); time.sleep(9)",
        -signal.SIGTERM,
        "was ended by signal 15 (SIGTERM), and ends all ranks",
    ),
}


def start(program: str) -> subprocess.Popen[str]:
    lines = [
        "import os, signal, time",
        "from dezero_parallel import supervisor as s",
        "def run():",
        f"    {RANK_1}",
        f"    {program}",
        "s.supervise(run)",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("case", ENDS)
def test_a_parent_ends_and_reports(case: str) -> None:
    program, code, report = ENDS[case]
    process = start(program)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code, errors
    said = [line for line in errors.splitlines() if line.startswith("[")]
    assert len(said) == bool(report)
    if report:
        assert said[0].startswith("[rank 1 of 3 on ") and f", step 30] {report}" in said[0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_no_orphan_is_left_if_the_parent_is_killed() -> None:
    process = start("print('started', flush=True); time.sleep(60)")
    assert process.stdout.readline() == "started\n"
    process.kill()
    process.communicate(timeout=5)  # returns when no process has the pipes open


# Arguments of `python -m dezero_parallel` in one process: the exit status, and a text it prints.
PROGRAMS = {
    "a program": (["{folder}/p.py", "3"], 3, "argument 3"),
    "a module that fails": (["-m", "p", "x"], 1, "ValueError"),
    "no program": ([], 1, "usage: python -m dezero_parallel"),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_one_process_runs_a_program_as_python_does(case: str, tmp_path) -> None:
    (tmp_path / "p.py").write_text(
        "import sys; print('argument', sys.argv[1], flush=True); sys.exit(int(sys.argv[1]))"
    )
    arguments, code, text = PROGRAMS[case]
    filled = [argument.format(folder=tmp_path) for argument in arguments]
    command = [sys.executable, "-m", "dezero_parallel", *filled]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == code, ended.stderr
    assert text in ended.stdout + ended.stderr
    assert "[process" not in ended.stderr
