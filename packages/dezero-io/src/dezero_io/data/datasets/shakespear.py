"""Load works of Shakespeare as a sequence of characters, each encoded as an integer."""

from __future__ import annotations

import numpy as np

from dezero_core.errors import DataDamaged

from ..download import fetch
from .dataset import Dataset

MIRRORS = ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",)
FILE = "shakespear/input.txt"
SIZE = 1_115_394
"""The size of the file in bytes; equal to the number of characters, because the file is ASCII."""


def shakespeare_text() -> str:
    """Return the text of `Shakespear`, 40,000 lines of Shakespeare, and raise the same errors."""
    path = fetch(FILE, [FILE], MIRRORS)
    raw = path.read_bytes()
    if len(raw) != SIZE or not raw.isascii():
        raise DataDamaged(f"{path}: expected {SIZE:,} bytes of ASCII, found {len(raw):,} bytes")
    return raw.decode("ascii")


class Shakespear(Dataset):
    """Load 40,000 lines of Shakespeare, to predict the next character (Karpathy's char-rnn).

    The file ``input.txt`` is searched for in the folder ``shakespear`` of `data_folder`, then of
    `cache_folder`, and downloaded if neither folder contains the file. The training set and the
    test set are both the whole text.

    Attributes:
        data: shape (N,), int64: the id of each character, in the order of first appearance.
        label: shape (N,), int64: the id of the next character.
        char_to_id, id_to_char: a dictionary from characters to ids, and a dictionary from ids to
            characters.

    Raises:
        DataMissing: the file is in neither folder, and cannot be downloaded.
        DataDamaged: the file does not have the published size, or is not ASCII.
    """

    def prepare(self) -> None:
        text = shakespeare_text()
        self.char_to_id = {c: i for i, c in enumerate(dict.fromkeys(text))}
        self.id_to_char = {i: c for c, i in self.char_to_id.items()}
        ids = np.array([self.char_to_id[c] for c in text])
        self.data, self.label = ids[:-1], ids[1:]


Shakespeare = Shakespear
"""An alias with the usual spelling; the book spells the name `Shakespear`."""
