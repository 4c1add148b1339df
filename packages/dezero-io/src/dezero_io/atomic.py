"""Writing a file so that its path holds the old or the new contents, whole, at every instant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from platform import node
from tempfile import mkstemp
from typing import IO


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` that replaces it when the block ends well.

    A symbolic link is followed, so that the file it points to is replaced; an existing file's
    permissions are kept. When the block raises, ``path`` is as it was and the temporary file
    is gone.

    Raises:
        OSError: the folder is missing, full, or cannot be written to.
    """
    target = path.resolve()
    sweep(target)
    descriptor, name = mkstemp(SUFFIX, f"{prefix(target)}{os.getpid()}.", target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(target))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


SUFFIX = ".part"
"""What the names of temporary files end in."""


def prefix(target: Path) -> str:
    """How the names of temporary files of this machine for ``target`` begin; a process follows."""
    return f".{target.name[:150]}.{node()[:50]}."


def sweep(target: Path) -> None:
    """Remove what processes of this machine that died while they wrote ``target`` have left."""
    start = prefix(target)
    for left in target.parent.glob(f".*{SUFFIX}"):
        process = left.name.removeprefix(start).split(".")[0]
        if left.name.startswith(start) and process.isdigit() and not is_alive(int(process)):
            left.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of that number runs; taken for granted where nobody can be asked."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _mode(target: Path) -> int:
    """Permissions of the file to be replaced, or those a new file would get."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    """Put the renaming itself on disk; systems that cannot open folders have no such call."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
