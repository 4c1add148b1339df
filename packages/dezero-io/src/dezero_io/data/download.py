"""Find published files in the data folders; download those that are missing."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path
from shutil import copyfileobj
from typing import IO
from urllib.parse import urlsplit

from dezero_core.errors import ArgumentError, DataDamaged, DataMissing

from ..weights.files import atomic_file, open_regular


def data_folder() -> Path:
    """Return the environment variable ``DEZERO_DATA`` if set, else the cache folder."""
    chosen = os.environ.get("DEZERO_DATA")
    return Path(chosen).expanduser() if chosen else cache_folder()


def cache_folder() -> Path:
    """Return the platform's cache folder for DeZero, such as ``~/.cache/dezero``."""
    import pooch

    return Path(pooch.os_cache("dezero"))


def fetch(name: str, group: Sequence[str], mirrors: Sequence[str]) -> Path:
    """Return the path of a published file; download the file if it is not on this machine.

    Args:
        name: a path below `data_folder`, such as ``mnist/t10k-labels-idx1-ubyte.gz``.
        group: the names of all files of the dataset, for the error message.
        mirrors: URLs of folders, tried in order; the name of the file is appended to each URL.

    Raises:
        DataMissing: no mirror has the file; the message names the folder and all files.
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
        except (OSError, ValueError) as error:  # the errors of requests are OSErrors
            failures.append(f"{mirror}: {type(error).__name__}")
    raise DataMissing(
        f"{target.name} is not in {target.parent} and cannot be downloaded "
        f"({'; '.join(failures)}). Without a network put these files there: "
        f"{', '.join(Path(other).name for other in group)}"
    )


def download(url: str, target: Path, sha256: str | None = None) -> None:
    """Download a file with a progress bar; if the download fails, leave no partial file.

    Raises:
        DataDamaged: the download does not have the checksum ``sha256``; an existing file does not
            change.
    """
    import pooch
    from tqdm import tqdm

    target.parent.mkdir(parents=True, exist_ok=True)
    # total=1 until pooch sets it: pooch would ignore a bar with total 0, which is falsy
    with (
        tqdm(desc=target.name, unit="B", unit_scale=True, mininterval=0.5, total=1) as bar,
        atomic_file(target) as file,
    ):
        if urlsplit(url).scheme == "file":
            copy_local(url, file)
        else:
            pooch.HTTPDownloader(progressbar=bar)(url, file, None)
        actual = None if sha256 is None else sha256_of(file)
        if actual != sha256:
            raise DataDamaged(
                f"{url}: the download has SHA-256 {actual}, expected {sha256}. Check the address "
                "and the checksum; nothing was stored"
            )


def copy_local(url: str, file: IO[bytes]) -> None:
    """Copy the contents of the file at a ``file:`` URL into an open file.

    Raises:
        ValueError: the file is on another machine, or is a folder or a pipe.
        OSError: the file cannot be read.
    """
    from urllib.request import url2pathname  # imported here because it loads http and ssl

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"a file on {parts.netloc}; a file of this machine is file:///path")
    with open_regular(Path(url2pathname(parts.path))) as source:
        copyfileobj(source, file)


def sha256_of(file: IO[bytes]) -> str:
    """Return the SHA-256 of a whole open file, in lower case."""
    file.seek(0)
    return file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def get_file(url: str, file_name: str | None = None, *, sha256: str | None = None) -> str:
    """Return the path of a file in `cache_folder`; download the file if needed (book step 51).

    Args:
        url: an ``https``, ``http`` or ``file`` address.
        file_name: the name of the stored file. If None, the name is the last part of the URL,
            including the query, so the files of two URLs with different queries have different
            names.
        sha256: the expected SHA-256, 64 hexadecimal digits. A download is checked before it is
            stored. An existing file is checked too, and downloaded again if its SHA-256 is wrong.
            If ``sha256`` is None, nothing is checked.

    Raises:
        ArgumentError: ``url`` is not an https, http or file address; ``file_name`` is empty or
            leads out of the folder; ``sha256`` is not a SHA-256.
        DataDamaged: the SHA-256 of the download is wrong; an existing file does not change.
        DataMissing: the file cannot be downloaded.
    """
    last = last_segment(url)
    name = last if file_name is None else file_name
    if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:
        raise ArgumentError(f"get_file: {name!r} is no name of a file; give file_name")
    expected = None if sha256 is None else require_sha256(sha256)
    target = cache_folder() / name
    damage = ""
    if target.is_file():
        if expected is None:
            return str(target)
        with target.open("rb") as file:
            actual = sha256_of(file)
        if actual == expected:
            return str(target)
        damage = f"; {target} exists, with SHA-256 {actual}, expected {expected}"
    try:
        download(url, target, *([] if expected is None else [expected]))
    except DataDamaged as error:
        raise DataDamaged(f"get_file: {error}{damage}") from error
    except (OSError, ValueError) as error:
        raise DataMissing(f"get_file: {url}: {type(error).__name__}: {error}{damage}") from error
    return str(target)


SCHEMES = "https", "http", "file"


def last_segment(url: str) -> str:
    """Return the last path segment of a URL, with the query string.

    Raises:
        ArgumentError: the address is not a string, or has none of the `SCHEMES`.
    """
    wanted = "expected an address that begins with https://, http:// or file:///"
    if not isinstance(url, str):
        raise ArgumentError(f"get_file: url is {url!r} ({type(url).__name__}); {wanted}")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ArgumentError(f"get_file: url {url!r}: {error}; {wanted}") from error
    if parts.scheme not in SCHEMES:
        raise ArgumentError(f"get_file: url {url!r}; {wanted}")
    return parts.path.rpartition("/")[2] + (f"?{parts.query}" if parts.query else "")


def require_sha256(sha256: str) -> str:
    """Return a SHA-256 in lower case."""
    if isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{64}", sha256):
        return sha256.lower()
    raise ArgumentError(
        f"get_file: sha256 {sha256!r}; expected the 64 hexadecimal digits that sha256sum prints"
    )


def show_progress(block_num: int, block_size: int, total_size: int) -> None:
    """Print a progress bar for ``urllib.request.urlretrieve`` (book step 51).

    Args:
        block_num: the number of blocks downloaded so far.
        block_size: the size of a block in bytes.
        total_size: the size of the file in bytes; below 1 if unknown.
    """
    downloaded = block_num * block_size
    if total_size < 1:
        print(f"\r{downloaded:,} bytes", end="", flush=True)
        return
    share = min(downloaded / total_size, 1.0)
    filled = int(share * 30)
    print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {share:.2%}", end="", flush=True)
