"""Load CIFAR-10 and CIFAR-100, datasets of small colour images."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import ArgumentError, DataDamaged
from dezero_core.hints import hinted

from ..download import fetch
from ..transforms import Compose, Normalize, ToFloat
from .images import ImageDataset

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
ARCHIVES = {
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
}
"""The published MD5 of each binary archive. The binary archives contain no pickles."""

PIXELS = 3 * 32 * 32
FROM_MINUS_1_TO_1 = Compose([ToFloat(), Normalize(127.5, 127.5)])


class CIFAR10(ImageDataset):
    """Load 60,000 colour images of 32x32 pixels in ten classes (Krizhevsky, 2009).

    The archive ``cifar-10-binary.tar.gz`` is searched for in the folder ``cifar`` of `data_folder`,
    then of `cache_folder`, and downloaded if neither folder contains the file.

    Args:
        train: True for the 50,000 training images (default), False for the 10,000 test images.
        transform: a function applied to each example; by default it converts to float32 from
            -1 to 1.
        target_transform: a function applied to each label, or None (default).

    Attributes:
        data: shape (N, 3, 32, 32), uint8; the channels are red, green and blue.
        label: shape (N,), int64.

    Raises:
        DataMissing: the archive is in neither folder, and cannot be downloaded.
        DataDamaged: the archive is not the published one.
    """

    names = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())

    @hinted
    def __init__(
        self,
        train: bool = True,
        transform: Callable[[Any], Any] | None = FROM_MINUS_1_TO_1,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        names = [f"data_batch_{n}.bin" for n in range(1, 6)] if self.train else ["test_batch.bin"]
        members = [f"cifar-10-batches-bin/{name}" for name in names]
        records = read_records("cifar-10-binary.tar.gz", members, 1 + PIXELS)
        self.label, self.data = records[:, 0].astype(np.int64), images_of(records)


class CIFAR100(ImageDataset):
    """Load 60,000 colour images of 32x32 pixels in 100 classes (Krizhevsky, 2009).

    The classes form 20 groups. The archive ``cifar-100-binary.tar.gz`` is found or downloaded as
    for `CIFAR10`.

    Args:
        train, transform, target_transform: as for `CIFAR10`.
        label_type: ``"fine"`` for the 100 classes (default), ``"coarse"`` for the 20 groups.

    Raises:
        ArgumentError: ``label_type`` is neither ``"fine"`` nor ``"coarse"``.
        DataMissing, DataDamaged: as for `CIFAR10`.
    """

    names = tuple(
        """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
        butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
        crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house
        kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
        mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
        plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew
        skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
        telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf
        woman worm""".split()
    )
    coarse_names = (
        "aquatic mammals", "fish", "flowers", "food containers", "fruit and vegetables",
        "household electrical devices", "household furniture", "insects", "large carnivores",
        "large man-made outdoor things", "large natural outdoor scenes",
        "large omnivores and herbivores", "medium-sized mammals", "non-insect invertebrates",
        "people", "reptiles", "small mammals", "trees", "vehicles 1", "vehicles 2",
    )  # fmt: skip

    @hinted
    def __init__(
        self,
        train: bool = True,
        transform: Callable[[Any], Any] | None = FROM_MINUS_1_TO_1,
        target_transform: Callable[[Any], Any] | None = None,
        label_type: str = "fine",
    ) -> None:
        self.label_type = require_label_type(label_type)
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        member = f"cifar-100-binary/{'train' if self.train else 'test'}.bin"
        records = read_records("cifar-100-binary.tar.gz", [member], 2 + PIXELS)
        column = 0 if self.label_type == "coarse" else 1
        self.label, self.data = records[:, column].astype(np.int64), images_of(records)

    @classmethod
    def labels(cls, label_type: str = "fine") -> dict[int, str]:
        """Return a dictionary from labels to the names of classes (of groups if ``"coarse"``)."""
        coarse = require_label_type(label_type) == "coarse"
        return dict(enumerate(cls.coarse_names if coarse else cls.names))


def require_label_type(label_type: str) -> str:
    """Return ``label_type`` if it is valid, else raise `ArgumentError`."""
    if label_type not in ("fine", "coarse"):
        raise ArgumentError(f"CIFAR100: label_type {label_type!r}; expected 'fine' or 'coarse'")
    return label_type


def images_of(records: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels, which are the last bytes of each record, as an array (N, 3, 32, 32)."""
    return np.ascontiguousarray(records[:, -PIXELS:]).reshape(-1, 3, 32, 32)


def read_records(archive: str, members: list[str], length: int) -> NDArray[np.uint8]:
    """Read files of an archive into an array (N, length), with one record of bytes per row."""
    path = fetch(f"cifar/{archive}", [archive], MIRRORS)
    require_md5(path, ARCHIVES[archive])
    parts = []
    try:
        with tarfile.open(path, "r:gz") as file:
            for member in members:
                content = file.extractfile(member)  # read into memory; no file is written
                parts.append(b"" if content is None else content.read())
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        raise damage_error(path, str(error)) from error
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, length)


def require_md5(path: Path, expected: str) -> None:
    """Check that a file has the MD5 ``expected``; raise `DataDamaged` if not."""
    digest = md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise damage_error(path, "its MD5 differs")


def damage_error(path: Path, reason: str) -> DataDamaged:
    """Return the error for an archive that is not the published one."""
    return DataDamaged(
        f"{path} is not the published archive: {reason}. Delete it and load the dataset again, or "
        "put a good copy in its place"
    )
