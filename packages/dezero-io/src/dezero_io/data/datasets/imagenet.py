"""Load the names of ImageNet's 1000 classes."""

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
"""Match a line of a Python dictionary: a number, a colon and a quoted name."""


class ImageNet:
    """Provide the class names of ImageNet 2012; the images may not be redistributed."""

    @staticmethod
    def labels() -> dict[int, str]:
        """Return a dictionary from the class indices of VGG16 and ResNet to the 1000 class names.

        The file is searched for in the folder ``imagenet`` of `data_folder`, then of
        `cache_folder`, and downloaded if neither folder contains the file.

        Raises:
            DataMissing: the file is in neither folder, and cannot be downloaded.
            DataDamaged: a line is not a number and a name, or the file does not name classes 0 to
                999.
        """
        path = fetch(FILE, [FILE], MIRRORS)
        lines = path.read_text("utf-8", errors="replace").splitlines()
        found = [LINE.fullmatch(line) for line in lines if line.strip(" {}")]
        names = {int(match[1]): match[3] for match in found if match}
        if None in found or sorted(names) != list(range(1000)):
            raise DataDamaged(f"{path}: expected a line for each of 1000 numbers, with its name")
        return names
