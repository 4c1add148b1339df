"""Train on two hosts, which are emulated by two network namespaces joined by a virtual cable."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("ip") or os.geteuid() != 0,
        reason="two emulated hosts need root and the command ip",
    ),
]

HOSTS = {"dezero-a": "10.77.0.1", "dezero-b": "10.77.0.2"}
"""The namespaces and their addresses."""

SSH = """#!/bin/sh
# Stand in for ssh: run a command in the namespace that has the address.
while [ "${1#-}" != "$1" ]; do shift; done
case $1 in 10.77.0.1) namespace=dezero-a ;; *) namespace=dezero-b ;; esac
shift
exec ip netns exec $namespace sh -c "$*"
"""


def ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[None]:
    try:
        for namespace in HOSTS:
            made = ip("netns", "add", namespace)
            if made.returncode:
                pytest.skip(f"this system has no network namespaces: {made.stderr.strip()}")
        names = list(HOSTS)
        joined = ip(
            *("link", "add", "dezero0", "netns", names[0], "type", "veth"),
            *("peer", "name", "dezero0", "netns", names[1]),
        )
        if joined.returncode:
            pytest.skip(f"this system has no virtual cables: {joined.stderr.strip()}")
        for namespace, address in HOSTS.items():
            ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "dezero0")
            ip("-n", namespace, "link", "set", "lo", "up")
            ip("-n", namespace, "link", "set", "dezero0", "up")
        time.sleep(2)  # MPICH cannot connect in the first second of a cable
        yield
    finally:
        for namespace in HOSTS:
            ip("netns", "del", namespace)


def start(jobs, tmp_path: Path, ranks: int, *program: object, **variables: str):
    """Start a job with half of its ranks on each host."""
    if jobs.launcher.mpi != "MPICH":
        pytest.skip(f"{jobs.launcher.mpi}: only MPICH's launcher takes a stand-in for ssh")
    ssh = tmp_path / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    mpiexec, *rest = jobs.command(ranks, *program)
    there = ["-launcher", "ssh", "-launcher-exec", str(ssh), "-ppn", str(ranks // 2)]
    names = ["-hosts", ",".join(HOSTS.values())]
    command = ["ip", "netns", "exec", "dezero-a", mpiexec, *there, *names, *rest]
    # without UCX_TLS, the ranks use shared memory
    return jobs.start(command, UCX_TLS="tcp,self", **variables)


def test_two_hosts_compute_what_one_process_computes(hosts, jobs, tmp_path) -> None:
    ended = jobs.finish(start(jobs, tmp_path, 4, "equality.py", 8))
    assert ended.code == 0, ended.output
    assert '"CNN Adam"' in ended.output


def test_a_cut_cable_ends_the_ranks_of_both_hosts(hosts, jobs, tmp_path) -> None:
    limit = 3
    process = start(jobs, tmp_path, 2, "failing.py", "go on", DEZERO_TIMEOUT=str(limit))
    while not (line := process.stdout.readline()).startswith("fails at"):
        assert line, process.wait()
    ip("-n", "dezero-a", "link", "set", "dezero0", "down")
    cut = time.monotonic()
    while jobs.processes() and time.monotonic() - cut < limit + 10:
        time.sleep(0.1)
    seconds = time.monotonic() - cut
    left = jobs.processes()
    ended = jobs.finish(process)
    assert not left, ended.output
    assert seconds < limit + 10
    assert ended.code != 0
    assert "[rank 0 of 2 on " in ended.output and "waited" in ended.output, ended.output
