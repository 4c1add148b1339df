"""Published files: the folders they are looked for in, and bringing them there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dezero_core.errors import DataMissing

from .atomic import atomic_file


def data_folder() -> Path:
    """Where datasets are kept: ``DEZERO_DATA``, else the platform's folder for caches."""
    chosen = os.environ.get("DEZERO_DATA")
    return Path(chosen).expanduser() if chosen else cache_folder()


def cache_folder() -> Path:
    """The platform's folder for caches, such as ``~/.cache/dezero``."""
    import pooch

    return Path(pooch.os_cache("dezero"))


def fetch(name: str, group: Sequence[str], mirrors: Sequence[str]) -> Path:
    """The path of a published file, which is downloaded if it is in neither folder.

    Args:
        name: path below `data_folder`, such as ``mnist/t10k-labels-idx1-ubyte.gz``.
        group: the names of all files of the dataset, for the message.
        mirrors: addresses to put the last part of the name behind, tried in order.

    Raises:
        DataMissing: naming the folder and the files of the group.
    """
    for folder in (data_folder, cache_folder):
        path = folder() / name
        if path.is_file():
            return path
    target = data_folder() / name
    failures = []
    for mirror in mirrors:
        try:
            download(mirror + target.name, target)
            return target
        except (OSError, ValueError) as error:  # those of requests are OSErrors
            failures.append(f"{mirror}: {type(error).__name__}")
    raise DataMissing(
        f"{target.name} is not in {target.parent} and cannot be downloaded "
        f"({'; '.join(failures)}). Without a network put these files there: "
        f"{', '.join(Path(other).name for other in group)}"
    )


def download(url: str, target: Path) -> None:
    """Bring a file, with a bar that shows how far it is; complete, or not there at all."""
    import pooch
    from tqdm import tqdm

    target.parent.mkdir(parents=True, exist_ok=True)
    # pooch sets the total; until then it is 1, because a bar of 0 counts as none
    with (
        tqdm(desc=target.name, unit="B", unit_scale=True, mininterval=0.5, total=1) as bar,
        atomic_file(target) as file,
    ):
        pooch.HTTPDownloader(progressbar=bar)(url, file, None)
