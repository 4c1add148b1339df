"""A bar of bytes on a terminal, for what takes longer than two seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Counted = Callable[[int], object]
"""Called with the number of bytes that were done."""

DELAY = 2.0
"""Seconds that pass in silence."""


@contextmanager
def counted(title: str, total: int | None = None) -> Iterator[Counted]:
    """A function to call with numbers of bytes; nothing is shown where nobody looks."""
    with tqdm(
        desc=title, total=total, unit="B", unit_scale=True, delay=DELAY, disable=None, leave=False
    ) as bar:
        yield bar.update
