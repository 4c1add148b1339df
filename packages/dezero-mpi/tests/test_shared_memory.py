"""Check what happens if shared memory is full."""

import os
import shutil
import subprocess
from collections import namedtuple

import pytest

from dezero_core.errors import CommunicatorError
from dezero_mpi import shared_memory

Usage = namedtuple("Usage", "total used free")


def test_full_shared_memory_is_an_error(monkeypatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(64 << 20, 60 << 20, 4 << 20))
    with pytest.raises(CommunicatorError, match=r"has 4\.0 MiB free; expected at least 16 MiB"):
        shared_memory.require_shared_memory()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(64 << 20, 0, 64 << 20))
    shared_memory.require_shared_memory()


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("unshare") or os.geteuid() != 0, reason="only root can mount a small /dev/shm"
)
def test_every_rank_reports_full_shared_memory_and_no_rank_waits(jobs) -> None:
    mount = 'mount -t tmpfs -o size=1m none /dev/shm && exec "$@"'
    small = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    if subprocess.run([*small, "true"], capture_output=True).returncode:
        pytest.skip("this system does not let root mount a small /dev/shm")
    ended = jobs.finish(jobs.start([*small, *jobs.command(2, "-m", "this")]))
    assert ended.code != 0
    assert "/dev/shm on " in ended.output and "has 1.0 MiB free" in ended.output, ended.output
