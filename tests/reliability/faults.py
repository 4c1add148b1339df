"""Count the files that are broken when one call to the file system fails during a save.

The n-th call fails, for n = 1, 2, 3... until a save succeeds. Each time, the path must hold the
complete old or new snapshot, and the folder must contain no other file.
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from figures import Figure, fill_of, script, snapshot

from dezero_core.state import save_weights

CALLS = ("open", "fsync", "replace", "chmod", "stat", "lstat", "close", "scandir", "listdir")
MEGABYTES = 0.5


class FailingCalls:
    """Count calls, and let one of them fail.

    Args:
        failing: the number of the call that raises ``error``.
        error: the error to raise.
    """

    def __init__(self, failing: int, error: BaseException) -> None:
        self.failing, self.error, self.calls = failing, error, 0

    def count(self) -> None:
        """Count one call; raise the error if it is the failing one."""
        self.calls += 1
        if self.calls == self.failing:
            raise self.error

    def wrapped(self, real: Any) -> Any:
        """Return a function that counts its calls and then calls ``real``."""

        def call(*arguments: Any, **named: Any) -> Any:
            self.count()
            return real(*arguments, **named)

        return call

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Count every write and the calls in `CALLS` within the ``with`` block."""
        counter = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                counter.count()
                return super().write(data)

        def fdopen(descriptor: int, mode: str) -> Any:
            return (
                io.BufferedWriter(File(descriptor, mode)) if "w" in mode else open(descriptor, mode)
            )

        wrappers = {name: self.wrapped(getattr(os, name)) for name in CALLS}
        with patch.multiple(os, fdopen=fdopen, **wrappers):
            yield


def measure(long: bool = False) -> Figure:
    """Fail at each call, with a full disk and with Ctrl-C; count broken files and extra files."""
    broken, points = 0, 0
    for error in (OSError(errno.ENOSPC, "no space left"), KeyboardInterrupt()):
        n, done = 0, False
        while not done:
            n += 1
            with tempfile.TemporaryDirectory() as name:
                path = Path(name) / "weights.npz"
                save_weights(snapshot(1.0, MEGABYTES), path)
                failing, model = FailingCalls(n, error), snapshot(2.0, MEGABYTES)
                try:
                    with failing.installed():
                        save_weights(model, path)
                    done = failing.calls < n
                    expected = {2.0} if done else {1.0, 2.0}
                except (OSError, KeyboardInterrupt):
                    expected = {1.0, 2.0}
                is_complete = fill_of(path, MEGABYTES) in expected
                broken += not is_complete or len(os.listdir(name)) != 1
        points += n - 1
    return Figure(broken, 0, f"{points} calls failed, each once")


if __name__ == "__main__":
    script(measure)
