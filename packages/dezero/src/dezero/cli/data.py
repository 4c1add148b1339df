"""Define the datasets that the option ``--data`` can select."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import click

from dezero import Dataset
from dezero.datasets import MNIST, Characters, Digits, Spiral, shakespeare_text
from dezero_io.data.datasets.characters import vocabulary_of

CONTEXT = 64
"""Number of characters in an example of a text."""


class Data(NamedTuple):
    """Describe a dataset that ``--data`` can select."""

    name: str
    load: Callable[..., Dataset]  # load(train=True) is the training set
    classes: int
    shape: tuple[int, ...]  # (C, H, W) of an image, or (size,) of another example
    epochs: int  # the default of --epochs
    vocabulary: str = ""  # the characters of a text; each position of an example has a label
    digest: str = ""  # the SHA-256 of a text

    @property
    def is_text(self) -> bool:
        """Return whether an example is a sequence of ids of characters."""
        return bool(self.vocabulary)

    @property
    def identity(self) -> str:
        """Return a description of the dataset that differs between texts, for checkpoints."""
        return f"a text of SHA-256 {self.digest[:16]}" if self.is_text else f"--data {self.name}"


DATA = {
    data.name: data
    for data in (
        Data("digits", Digits, 10, (1, 8, 8), 30),
        Data("mnist", MNIST, 10, (1, 28, 28), 5),
        Data("spiral", Spiral, 3, (2,), 100),
    )
}
TEXT_EPOCHS = 10
"""The default of ``--epochs`` for a text."""


class DataType(click.ParamType):  # type: ignore[type-arg]
    """Convert an option to the description of a dataset, or of the text in a file."""

    name = "name or text file"

    def convert(
        self, value: str | Data, param: click.Parameter | None, ctx: click.Context | None
    ) -> Data:
        if isinstance(value, Data):
            return value
        if value in DATA:
            return DATA[value]
        if value == "shakespeare":
            return text_data(value, shakespeare_text())
        try:
            text = Path(value).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            self.fail(f"{value} is not a text in UTF-8: {error.reason} at byte {error.start}")
        except OSError as error:
            self.fail(
                f"{value!r} is not {', '.join(DATA)}, shakespeare or a text file that can be read: "
                f"{error.strerror}"
            )
        if not text:
            self.fail(f"{value} is empty; expected a text")
        return text_data(value, text)


def text_data(name: str, text: str) -> Data:
    """Return the description of a text, whose characters are the classes."""
    load, vocabulary = partial(Characters, text, CONTEXT), vocabulary_of(text)
    digest = sha256(text.encode()).hexdigest()
    return Data(name, load, len(vocabulary), (CONTEXT,), TEXT_EPOCHS, vocabulary, digest)
