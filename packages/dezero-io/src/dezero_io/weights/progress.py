"""Show a progress bar in bytes on a terminal, for work that takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CountBytes = Callable[[int], object]
"""A function that is called with the number of bytes just read or written."""

DELAY = 2.0
"""Seconds before the progress bar appears, so that short work shows no bar."""


@contextmanager
def progress_bar(title: str, total: int | None = None) -> Iterator[CountBytes]:
    """Yield a function that counts bytes and shows them in a progress bar.

    Nothing is shown if stderr is not a terminal. The tqdm bar is created only when it
    is first shown, because all processes of a program share tqdm's lock: if a process is killed
    while it holds the lock, every other process that creates a bar waits for ever.
    """
    start, bytes_done, bar = time.monotonic(), 0, None

    def count(n: int) -> None:
        nonlocal bytes_done, bar
        bytes_done += n
        if bar is not None:
            bar.update(n)
        elif time.monotonic() - start >= DELAY and sys.stderr.isatty():
            bar = new_bar(title, total, bytes_done)

    try:
        yield count
    finally:
        if bar is not None:
            bar.close()


def new_bar(title: str, total: int | None, bytes_done: int) -> Any:
    """Create a tqdm bar that starts at ``bytes_done``."""
    from tqdm import tqdm

    return tqdm(
        desc=title,
        total=total,
        initial=bytes_done,
        unit="B",
        unit_scale=True,
        leave=False,
        file=sys.stderr,
    )
