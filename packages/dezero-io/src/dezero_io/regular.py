"""Opening a file that somebody names: an ordinary one, or an error at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from dezero_core.errors import FormatError


def open_regular(path: Path) -> BinaryIO:
    """The file at ``path``, open for reading.

    Raises:
        FormatError: it is a folder, a pipe or a device.
        OSError: it cannot be opened.
    """
    # non-blocking: a pipe would wait until somebody writes
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FormatError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")
