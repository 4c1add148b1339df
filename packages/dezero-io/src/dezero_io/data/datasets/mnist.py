"""Load MNIST, a dataset of images of handwritten digits."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import DataDamaged
from dezero_core.hints import hinted

from ..download import fetch
from ..transforms import Compose, Flatten, Normalize, ToFloat
from .images import ImageDataset

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


FLAT_FROM_0_TO_1 = Compose([Flatten(), ToFloat(), Normalize(0.0, 255.0)])


class Contents(NamedTuple):
    """Store the size in bytes and the SHA-256 of a decompressed file."""

    size: int
    sha256: str


FILES = {
    "mnist/train-images-idx3-ubyte.gz": Contents(
        47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "mnist/train-labels-idx1-ubyte.gz": Contents(
        60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "mnist/t10k-images-idx3-ubyte.gz": Contents(
        7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "mnist/t10k-labels-idx1-ubyte.gz": Contents(
        10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}


class MNIST(ImageDataset):
    """Load 70,000 grey images of 28x28 pixels in ten classes (LeCun et al.; book step 51).

    The files are searched for in the folder ``mnist`` of `data_folder`, then of `cache_folder`, and
    downloaded if neither folder contains the files. The SHA-256 of every decompressed file is
    checked.

    Args:
        train: True for the 60,000 training images (default), False for the 10,000 test images.
        transform: a function applied to each example; by default it converts to float32 of shape
            (784,) from 0 to 1. If ``transform`` is None, examples are uint8 of shape (1, 28, 28).
        target_transform: a function applied to each label, or None (default).

    Attributes:
        data: shape (N, 1, 28, 28), uint8.
        label: shape (N,), int64 from 0 to 9.

    Raises:
        DataMissing: the files are in neither folder, and cannot be downloaded.
        DataDamaged: the contents of a file are not the published ones.
    """

    names = tuple("0123456789")

    @hinted
    def __init__(
        self,
        train: bool = True,
        transform: Callable[[Any], Any] | None = FLAT_FROM_0_TO_1,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        part = "train" if self.train else "t10k"
        self.data = read_idx(f"mnist/{part}-images-idx3-ubyte.gz")[:, np.newaxis]
        self.label = read_idx(f"mnist/{part}-labels-idx1-ubyte.gz").astype(np.int64)


def read_idx(name: str) -> NDArray[np.uint8]:
    """Return one of `FILES` as an array; the header of the file gives the shape."""
    contents = unpack(fetch(name, tuple(FILES), MIRRORS), FILES[name])
    axes = contents[3]
    shape = np.frombuffer(contents, ">u4", axes, offset=4)
    return np.frombuffer(contents, np.uint8, offset=4 + 4 * axes).reshape(shape)


def unpack(path: Path, expected: Contents) -> bytes:
    """Decompress a gzip file up to the published size, and check its SHA-256."""
    try:
        with gzip.open(path) as file:
            contents = file.read(expected.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise damage_error(path, str(error)) from error
    if sha256(contents).hexdigest() != expected.sha256:
        raise damage_error(path, "its SHA-256 differs")
    return contents


def damage_error(path: Path, reason: str) -> DataDamaged:
    """Return the error for a file whose contents are not the published ones."""
    return DataDamaged(
        f"{path} does not have the published contents: {reason}. Delete it and load the dataset "
        "again, or put a good copy in its place"
    )
