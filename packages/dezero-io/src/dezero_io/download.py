"""Published files: the folders they are looked for in, and bringing them there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dezero_core.errors import ArgumentError, DataMissing

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


def get_file(url: str, file_name: str | None = None) -> str:
    """Return the path of a file in `cache_folder`, downloaded if it is not there (book step 51).

    Args:
        url: where it comes from.
        file_name: what it is called there; the last part of the address if None.

    Raises:
        ArgumentError: the name is empty, or leads out of the folder.
        DataMissing: it cannot be downloaded.
    """
    name = url.rpartition("/")[2] if file_name is None else file_name
    if name in ("", "..") or Path(name).name != name:
        raise ArgumentError(f"get_file: {name!r} is no name of a file; give file_name")
    target = cache_folder() / name
    if not target.is_file():
        try:
            download(url, target)
        except (OSError, ValueError) as error:
            raise DataMissing(f"get_file: {url}: {type(error).__name__}: {error}") from error
    return str(target)


def show_progress(block_num: int, block_size: int, total_size: int) -> None:
    """Print a bar for ``urllib.request.urlretrieve`` (book step 51).

    Args:
        block_num: how many blocks have come.
        block_size: bytes in each.
        total_size: bytes of the file; below 1 if the server does not say.
    """
    arrived = block_num * block_size
    if total_size < 1:
        print(f"\r{arrived:,} bytes", end="", flush=True)
        return
    share = min(arrived / total_size, 1.0)
    filled = int(share * 30)
    print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {share:.2%}", end="", flush=True)
