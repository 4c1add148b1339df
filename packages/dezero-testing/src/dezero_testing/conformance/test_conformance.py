"""Run each check of the conformance kit as one pytest test."""

from __future__ import annotations

import pytest

from .items import Item


def test_conformance(item: Item, backend: str) -> None:
    """Run the item on the backend, or skip it if a capability is missing."""
    missing = item.missing(backend)
    if missing == {"devices"}:
        pytest.skip("does not apply to a library with one device")
    if missing:
        pytest.skip(f"backend {backend} does not declare {', '.join(sorted(missing))}")
    item.run(backend)
