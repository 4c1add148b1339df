"""Replace files atomically, so that no file is ever incomplete; open regular files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from platform import node
from tempfile import mkstemp
from typing import IO, BinaryIO

from dezero_core.errors import FormatError


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces ``path`` when the ``with`` block ends.

    The temporary file is in the folder of ``path``. The file is open for reading too, so that the
    ``with`` block can check its contents. If the block raises an error, ``path`` does not change
    and the temporary file is deleted. If ``path`` is a symbolic link, the file it points to is
    replaced. The permissions of an existing file are preserved.

    Raises:
        OSError: the folder is missing or not writable, the disk is full, or ``path`` is a folder.
            The error's ``filename`` is ``path``, never the temporary file.
    """
    with errors_naming(path):
        descriptor, temporary, target = _temporary_file(path)
    try:
        with errors_naming(path, DISK_ERRORS), os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with errors_naming(path):
            temporary.chmod(_mode(target))
            os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with errors_naming(path):
        _sync_folder(target.parent)


def require_writable(path: Path) -> None:
    """Check that `atomic_file` can create a temporary file, by creating and deleting one.

    Raises:
        OSError: as for `atomic_file`.
    """
    with errors_naming(path):
        descriptor, temporary, _ = _temporary_file(path)
        os.close(descriptor)
        temporary.unlink()


def _temporary_file(path: Path) -> tuple[int, Path, Path]:
    """Create a temporary file; return its descriptor, its path, and the path to replace."""
    try:
        target = path.resolve()
    except RuntimeError as error:  # Python 3.11 and 3.12 raise no OSError for link loops
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error
    if not target.parent.exists():
        folder = target.parent if path.is_symlink() else path.parent
        raise FileNotFoundError(errno.ENOENT, f"no folder {str(folder)!r}", str(path))
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(target).st_mode):  # os.stat raises OSError if the name is too long
            raise IsADirectoryError(errno.EISDIR, "a folder has this name", str(path))
    remove_leftovers(target)
    descriptor, name = mkstemp(SUFFIX, f"{temporary_prefix(target)}{os.getpid()}.", target.parent)
    return descriptor, Path(name), target


DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Error numbers of failed writes to an open file; these errors do not name the file."""


@contextmanager
def errors_naming(path: Path, without_name: Container[int] = ()) -> Iterator[None]:
    """Set ``filename`` to ``path`` in every OSError that the ``with`` block raises.

    Args:
        path: the file to write.
        without_name: error numbers; if given, change only errors that have one of these numbers and
            do not name a file.
    """
    try:
        yield
    except OSError as error:
        unnamed = error.filename is None and error.errno in without_name
        if error.errno is None or (without_name and not unnamed):
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error


SUFFIX = ".part"
"""The suffix of temporary files."""


def temporary_prefix(target: Path) -> str:
    """Return the prefix of the names of temporary files for ``target``, before the process id."""
    name = os.fsencode(target.name)[:150].decode(errors="ignore")
    return f".{name}.{node()[:50]}."


def remove_leftovers(target: Path) -> None:
    """Delete the temporary files of processes that died while they wrote ``target``."""
    start = temporary_prefix(target)
    for file in target.parent.glob(f".*{SUFFIX}"):
        process = file.name.removeprefix(start).split(".")[0]
        if file.name.startswith(start) and process.isdigit() and not is_alive(int(process)):
            file.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Return whether a process with this id runs; always True on systems other than POSIX."""
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
    """Return the permissions of ``target`` if it exists, else the default permissions."""
    with suppress(FileNotFoundError):
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    """Flush a rename in ``folder`` to disk, on systems that can open folders."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading in binary mode.

    Raises:
        FormatError: ``path`` is a folder, a pipe or a device.
        OSError: the file cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe would wait until another process opens it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FormatError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")
