"""A bar of bytes on a terminal, for what takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Counted = Callable[[int], object]
"""Called with the number of bytes that were done."""

DELAY = 2.0
"""Seconds that pass in silence."""


@contextmanager
def counted(title: str, total: int | None = None) -> Iterator[Counted]:
    """A function to call with numbers of bytes; nothing is shown where nobody looks.

    The bar is made when it is first shown. tqdm's bars share a lock among all processes of a
    program: whoever waits for one that a killed process holds waits for ever.
    """
    start, done, bar = time.monotonic(), 0, None

    def count(bytes_: int) -> None:
        nonlocal done, bar
        done += bytes_
        if bar is not None:
            bar.update(bytes_)
        elif time.monotonic() - start >= DELAY and sys.stderr.isatty():
            bar = new_bar(title, total, done)

    try:
        yield count
    finally:
        if bar is not None:
            bar.close()


def new_bar(title: str, total: int | None, done: int) -> Any:
    """A bar that says how much is done."""
    from tqdm import tqdm

    return tqdm(
        desc=title,
        total=total,
        initial=done,
        unit="B",
        unit_scale=True,
        leave=False,
        file=sys.stderr,
    )
