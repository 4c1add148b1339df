"""How many failures, one at every call to the file system in turn, broke a file.

The n-th call of a save fails, for n = 1, 2, 3... until a save gets through. Each time the path
must hold the old or the new snapshot, whole, and nothing else may be left in the folder.
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


class Shim:
    """Counts calls, and lets one of them fail."""

    def __init__(self, fails: int, error: BaseException) -> None:
        self.fails, self.error, self.calls = fails, error, 0

    def count(self) -> None:
        """One more call."""
        self.calls += 1
        if self.calls == self.fails:
            raise self.error

    def wrapped(self, real: Any) -> Any:
        """A function that is counted before it runs."""

        def call(*arguments: Any, **named: Any) -> Any:
            self.count()
            return real(*arguments, **named)

        return call

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Inside, the calls of `os` and every write go through the shim."""
        shim = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                shim.count()
                return super().write(data)

        def opened(descriptor: int, mode: str) -> Any:
            return (
                io.BufferedWriter(File(descriptor, mode)) if "w" in mode else open(descriptor, mode)
            )

        wrappers = {name: self.wrapped(getattr(os, name)) for name in CALLS}
        with patch.multiple(os, fdopen=opened, **wrappers):
            yield


def measure(long: bool = False) -> Figure:
    """Broken or littered folders over all calls, for a full disk and for Ctrl-C."""
    broken, points = 0, 0
    for error in (OSError(errno.ENOSPC, "no space left"), KeyboardInterrupt()):
        n, done = 0, False
        while not done:
            n += 1
            with tempfile.TemporaryDirectory() as name:
                path = Path(name) / "weights.npz"
                save_weights(snapshot(1.0, MEGABYTES), path)
                shim, model = Shim(n, error), snapshot(2.0, MEGABYTES)
                try:
                    with shim.installed():
                        save_weights(model, path)
                    done = shim.calls < n
                    expected = {2.0} if done else {1.0, 2.0}
                except (OSError, KeyboardInterrupt):
                    expected = {1.0, 2.0}
                whole = fill_of(path, MEGABYTES) in expected
                broken += not whole or len(os.listdir(name)) != 1
        points += n - 1
    return Figure(broken, 0, f"{points} calls failed, each once")


if __name__ == "__main__":
    script(measure)
