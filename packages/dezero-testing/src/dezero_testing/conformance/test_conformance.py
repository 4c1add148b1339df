"""The one test of the kit, run for every item."""

from __future__ import annotations

import pytest

from .items import Item


def test_conformance(item: Item, backend: str) -> None:
    """What the item says holds on the backend."""
    missing = item.missing(backend)
    if missing == {"devices"}:
        pytest.skip("several devices: does not apply to a library with one")
    if missing:
        pytest.skip(f"backend {backend} does not declare {', '.join(sorted(missing))}")
    item.run(backend)
