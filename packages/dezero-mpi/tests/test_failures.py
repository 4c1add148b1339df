"""Check that a failure of one rank ends all ranks in time, and that the output names the rank.

The time is measured from the failure to the end of the launcher, with three ranks.
"""

import signal
import sys
import time

import pytest

LIMIT = 2
"""The seconds that a rank waits for the others in these tests."""

WHO = "[rank 1 of 3 on "
SLOW = pytest.mark.slow

# How rank 1 fails; the seconds until all ranks have ended; texts of the output.
FAILURES = {
    "raise": (1, [WHO, "step 10] failed", "in raise_error", "Planned: on purpose"]),
    "raise in a thread": (1, [WHO, "step 10] failed", "in raise_error", "Planned: on purpose"]),
    "kill": (2, [WHO, "step 10] was ended by signal 9 (SIGKILL)"]),
    "segfault": (2, [WHO, "step 10] was ended by signal 11 (SIGSEGV)", "failing.py", "in main"]),
    "exit": (1, [WHO, "step 10] called sys.exit(3)"]),
    "exit at once": (2, [WHO, "step 10] ended with exit status 3"]),
    "vanish": (2, [WHO, "step 10] ended with exit status 0"]),
    "leave early": (
        5,
        ["rank 1 has finished its program after its step 10", "the order of a loop over a loader"],
    ),
    "sleep": (LIMIT + 3, [WHO, "step 10] has not called", "in main", "time.sleep(60)"]),
    "sleep at the end": (LIMIT + 3, [WHO, "step 20] has not called", "the end of the program"]),
    "stop": (LIMIT + 3, [WHO, "step 10] is stopped by signal 19 (SIGSTOP)"]),
}
QUICK = {"raise", "leave early", "sleep"}  # test_resume.py tests "kill"


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way in QUICK else SLOW) for way in FAILURES]
)
def test_a_failure_ends_all_ranks(way: str, jobs, report) -> None:
    seconds, texts = FAILURES[way]
    ended = jobs.run(3, "failing.py", way, DEZERO_TIMEOUT=str(LIMIT))
    assert ended.code != 0, ended.output
    assert [text for text in texts if text not in ended.output] == [], ended.output
    assert "rank 1 done" not in ended.output
    title = f"seconds from a failure to the end of all ranks (limit), {jobs.launcher.mpi}"
    report(title, way, f"{ended.seconds:.1f} ({seconds})")
    assert ended.seconds < seconds, ended.output


BEFORE = {
    "a wrong setting": ("DEZERO_TIMEOUT=soon", "timeout is 'soon'"),
    "no engine": ("DEZERO_PLUGINS=nn", "a launcher started 2 ranks"),
}


@pytest.mark.parametrize("case", ["a wrong setting", pytest.param("no engine", marks=SLOW)])
def test_an_error_before_mpi_starts_ends_all_ranks(case: str, jobs) -> None:
    jobs.leave_files = True  # the other rank is killed while MPI starts
    variable, text = BEFORE[case]
    good = jobs.command(1, "failing.py", "none")
    bad = ["-n", "1", "env", variable, *good[good.index(sys.executable) :]]
    ended = jobs.finish(jobs.start([*good, ":", *bad]), timeout=20)
    assert ended.code != 0
    assert text in ended.output, ended.output
    assert "failed before it was connected to the other ranks" in ended.output


@SLOW
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_rank_survives_its_launcher(number: signal.Signals, jobs) -> None:
    process = jobs.start(jobs.command(3, "failing.py", "sleep"))
    while not process.stdout.readline().startswith("fails at"):
        assert process.poll() is None
    process.send_signal(number)
    started = time.monotonic()
    while len(jobs.processes()) and time.monotonic() - started < 3:
        time.sleep(0.02)
    assert time.monotonic() - started < 2
    assert jobs.finish(process).code != 0
