"""ImageNet: the names of its thousand classes."""

from __future__ import annotations

import re

from dezero_core.errors import DataDamaged

from ..download import fetch

FILE = "imagenet/imagenet1000_clsidx_to_labels.txt"
MIRRORS = (
    "https://gist.githubusercontent.com/yrevar/942d3a0ac09ec9e5eb3a/raw/"
    "238f720ff059c1f82f368259d1ca4ffa5dd8f9f5/",
)
LINE = re.compile(r"""[{\s]*(\d+):\s*(['"])(.*)\2\s*[,}]*\s*""")
"""A number, a colon and a quoted name, with the brackets and commas of a dictionary around."""


class ImageNet:
    """The classes of the ImageNet challenge 2012; the pictures are not free to publish."""

    @staticmethod
    def labels() -> dict[int, str]:
        """What the 1000 classes are called, by the numbers that VGG16 and ResNet give.

        The file is looked for in the folder ``imagenet`` of `data_folder`, then of the cache
        folder, and downloaded where it is in neither.

        Raises:
            DataMissing: it is in neither folder, and cannot be downloaded.
            DataDamaged: it has other lines than numbers and names, or not 1000 of them.
        """
        path = fetch(FILE, [FILE], MIRRORS)
        lines = path.read_text("utf-8", errors="replace").splitlines()
        found = [LINE.fullmatch(line) for line in lines if line.strip(" {}")]
        names = {int(match[1]): match[3] for match in found if match}
        if None in found or sorted(names) != list(range(1000)):
            raise DataDamaged(f"{path}: expected a line for each of 1000 numbers, with its name")
        return names
