"""Prepare a process of pytest for tests on a GPU: ``pytest -p gpu_plugins``.

The module registers DeZero's plugins. After an illegal memory access, every later call of CUDA
fails in the process. If pytest-xdist runs the tests, this module then ends the process, and xdist
starts a new one for the other tests.
"""

from __future__ import annotations

import os
import re
from typing import Any

from gpu_rows import load_plugins

FATAL = re.compile(
    "illegal memory access|unspecified launch failure|misaligned address|illegal instruction|"
    "device-side assert|hardware stack error"
)
"""CUDA's messages for errors after which the process cannot use the device."""

load_plugins()


def pytest_exception_interact(call: Any) -> None:
    """End the process of pytest-xdist in which a test had a fatal error of CUDA."""
    if "PYTEST_XDIST_WORKER" in os.environ and FATAL.search(str(call.excinfo.value)):
        os._exit(1)
