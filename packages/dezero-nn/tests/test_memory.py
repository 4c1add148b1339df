"""Check how much freed memory stays resident under the settings of the allocator."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from dezero_nn.kernels import memory

THEIRS = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the settings are those of glibc"
)


def run(code: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in (*THEIRS, "DEZERO_KEEP_MEMORY")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_glibc
@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("DEZERO_KEEP_MEMORY", "1", True),
        ("DEZERO_KEEP_MEMORY", "0", False),
        *[(name, "1000", False) for name in THEIRS],
    ],
)
def test_the_allocator_is_configured_unless_the_program_does_it(
    name: str, value: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in THEIRS:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    assert memory.keep_freed_memory() is kept


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", None)  # calling it would be an error
    assert memory.keep_freed_memory() is False


def test_importing_sets_nothing() -> None:
    code = """
from dezero_nn.kernels import memory
calls = []
memory.keep_freed_memory = lambda: calls.append(1)
import dezero_nn, numpy
from dezero_nn import kernels
kernels.keep_freed_memory = memory.keep_freed_memory
print(len(calls), end=" ")
dezero_nn.relu(numpy.ones(3, "f"))
print(len(calls))
"""
    assert run(code) == "0 1"


RESIDENT = """
import resource
from pathlib import Path
import numpy as np
from dezero_nn import relu

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20

relu(np.ones((2, 2), "f"))  # the first kernel
small = [np.ones(1) for _ in range(1000)]
del small  # NumPy caches small blocks, which now come from this memory: a cached block behind the
# last of the arrays below would keep the heap from shrinking
before = resident()
arrays = [np.ones(size << 18, "f") for size in (4, 60) for _ in range(512 // size)]
print(resident() - before, end=" ")
del arrays
print(resident() - before)
"""


@needs_glibc
@pytest.mark.slow
def test_freed_memory_returns_to_the_system() -> None:
    peak, left = map(int, run(RESIDENT).split())
    assert peak > 900
    assert left < 250, f"{left} MiB are left of {peak}"
