"""Load scikit-learn's handwritten digits, which need no download."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from dezero_core.errors import MissingPackage

from .dataset import Dataset


class Digits(Dataset):
    """Load 1797 grey images of 8x8 pixels in ten classes (UCI Optical Recognition, 1998).

    The test set is a fifth of each class; ``digits_test.txt`` lists the indices of these examples.

    Attributes:
        data: shape (N, 64), float32 from 0 to 1; N is 1437 for training, 360 for testing.
        label: shape (N,), int64 from 0 to 9.

    Raises:
        MissingPackage: scikit-learn is not installed.
    """

    def prepare(self) -> None:
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise MissingPackage(
                "Digits needs scikit-learn: pip install 'dezero-io[digits]'"
            ) from None
        images, labels = load_digits(return_X_y=True)
        held_out = np.isin(np.arange(len(labels)), _test_indices())
        chosen = ~held_out if self.train else held_out
        self.data = (images[chosen] / 16).astype(np.float32)
        self.label = labels[chosen].astype(np.int64)


def _test_indices() -> list[int]:
    """Return the indices of the examples in the test set."""
    text = files(__package__).joinpath("digits_test.txt").read_text()
    return [int(line) for line in text.splitlines() if not line.startswith("#")]
