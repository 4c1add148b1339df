"""Define `Characters`, a dataset that cuts a text into sequences of characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dezero_core.arguments import as_integer, as_integers
from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_core.hints import hinted

from .dataset import Dataset

TRAINING_SHARE = 0.9
"""The number of training sequences, divided by the number of all sequences."""


def vocabulary_of(text: str) -> str:
    """Return the different characters of a text, sorted."""
    return "".join(sorted(set(text)))


class Characters(Dataset):
    """Cut a text into sequences of characters, to predict the character after each position.

    The sequences follow each other without gap or overlap. The first nine tenths of them are the
    training set, and the others are the test set; each set has at least one sequence.

    Args:
        text: the text that the sequences of both sets come from.
        length: number of characters in a sequence, T (default 64).
        train: True for the training set (default), False for the test set.

    Attributes:
        data: shape (N, T), int64: the ids of the characters of each sequence.
        label: shape (N, T), int64: the id of the character after each of these.
        vocabulary: a string of the different characters of the text, sorted; the id of a character
            is its index in this string.

    Raises:
        ArgumentTypeError: ``text`` is not a string.
        ArgumentError: ``length`` is below 1, or the text is too short for two sequences.
    """

    @hinted
    def __init__(self, text: str, length: int = 64, train: bool = True) -> None:
        require_text(text)
        self.text, self.length = text, as_integer("Characters", "length", length, 1)
        super().__init__(train)

    def prepare(self) -> None:
        T = self.length
        count = (len(self.text) - 1) // T
        if count < 2:
            raise ArgumentError(
                f"Characters: text has {len(self.text)} characters; expected {2 * T + 1} or more, "
                f"for two sequences of {T} characters and the character after them; choose a "
                "longer text or a smaller length"
            )
        self.vocabulary = vocabulary_of(self.text)
        self._ids = {character: i for i, character in enumerate(self.vocabulary)}
        ids = self.encode(self.text)
        x, t = ids[: count * T].reshape(count, T), ids[1 : count * T + 1].reshape(count, T)
        split = max(1, int(TRAINING_SHARE * count))
        part = slice(split) if self.train else slice(split, None)
        self.data, self.label = x[part], t[part]

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the ids of the characters of a text, shape (T,).

        Raises:
            ArgumentTypeError: ``text`` is not a string.
            ArgumentError: a character is not in the vocabulary.
        """
        require_text(text)
        try:
            return np.array([self._ids[character] for character in text], np.int64)
        except KeyError as error:
            raise ArgumentError(
                f"Characters: {error.args[0]!r} is not among the {len(self.vocabulary)} characters "
                "of the text; remove it, or create the dataset from a text that contains it"
            ) from None

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """Return the text of ids, integers (T,).

        Raises:
            ArgumentTypeError: an id is not an integer.
            ArgumentError: an id is not in [0, V), where V is the length of the vocabulary.
        """
        size = len(self.vocabulary)
        checked = as_integers("Characters.decode", "ids", ids)
        for i in checked:
            if not 0 <= i < size:
                raise ArgumentError(
                    f"Characters.decode: id {i}; expected an id from 0 to {size - 1}; decode ids "
                    "of this dataset's vocabulary"
                )
        return "".join([self.vocabulary[i] for i in checked])


def require_text(text: object) -> None:
    """Raise `ArgumentTypeError` unless ``text`` is a string."""
    if not isinstance(text, str):
        raise ArgumentTypeError(
            f"Characters: text is of type {type(text).__name__}; expected a string; read a file by "
            "Path(file).read_text()"
        )
