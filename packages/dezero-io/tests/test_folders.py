"""Test which of the two folders of the package may import the other."""

from pathlib import Path

import dezero_io


def test_weights_imports_nothing_from_data() -> None:
    for file in (Path(dezero_io.__file__).parent / "weights").glob("*.py"):
        assert "from ..data" not in file.read_text("utf-8"), file.name
