"""Hide the objects that exist before a module's tests from the garbage collector.

Capturing a step asks the collector for all Parameters of the process. Among the objects of pytest
and of all imported packages that takes 60 ms, longer than the rest of a small step.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _few_objects() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
