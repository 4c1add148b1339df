"""Define the base class of image datasets, which names classes and shows images."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dezero_core.errors import MissingPackage
from dezero_core.extend import generator

from .dataset import Dataset


class ImageDataset(Dataset):
    """Name the classes and show the images of a dataset of uint8 images (N, C, H, W).

    Attributes:
        names: the names of the classes; a label is an index into this tuple.
    """

    names: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def labels(cls) -> dict[int, str]:
        """Return a dictionary from labels to class names (book step 51)."""
        return dict(enumerate(cls.names))

    def show(self, row: int = 10, col: int = 10) -> Any:
        """Show ``row * col`` images drawn at random, in a grid; return the matplotlib figure.

        Raises:
            MissingPackage: matplotlib is not installed.
        """
        try:
            from matplotlib import pyplot
        except ImportError:
            raise MissingPackage("show needs matplotlib: pip install matplotlib") from None
        chosen = self.data[generator().integers(len(self.data), size=row * col)]
        _, C, H, W = chosen.shape
        grid = chosen.reshape(row, col, C, H, W).transpose(0, 3, 1, 4, 2)
        figure, axes = pyplot.subplots()
        axes.imshow(np.squeeze(grid.reshape(row * H, col * W, C)), cmap="gray")
        axes.axis("off")
        pyplot.show()
        return figure
