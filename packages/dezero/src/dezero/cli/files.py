"""Check a command's input and output files before any work, so that no result is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from dezero import DezeroError, Model
from dezero_core.state import file_path, format_for, locate_file
from dezero_io.weights.files import require_writable


class FileType(click.ParamType):  # type: ignore[type-arg]
    """Convert an option to a `Path`, and check the path.

    Args:
        name: the name of the type in the help.
        check: a function that converts the option's string to a `Path`. If ``check`` raises a
            DezeroError or an OSError, the command ends with the error's message and the name of the
            option.
    """

    def __init__(self, name: str, check: Callable[[str], Path]) -> None:
        self.name, self.check = name, check

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        if isinstance(value, Path):
            return value
        try:
            return self.check(str(value))
        except DezeroError as error:
            self.fail(str(error), param, ctx)
        except OSError as error:
            self.fail(f"{value}: {reason(error)}", param, ctx)


def weight_file(value: str) -> Path:
    """Return the path of a weight file to write, in a format whose package is installed."""
    target, file_format = format_for(value)
    if file_format.suffix == ".onnx":
        raise click.BadParameter(
            f"{target}: an .onnx file contains a graph; save the weights as .npz, and write the "
            "graph with dezero export"
        )
    if file_format.needs and (needs := file_format.needs()):
        raise click.BadParameter(f"{target}: {needs}")
    return target


def onnx_file(value: str) -> Path:
    """Return the path of an ONNX file to write."""
    path = file_path(value)
    if path.suffix.lower() != ".onnx":
        raise click.BadParameter(f"{path}: expected a name that ends in .onnx")
    return path


def image_file(value: str) -> Path:
    """Return the path of an image to write, in a format that matplotlib supports."""
    from matplotlib.backend_bases import FigureCanvasBase  # importing matplotlib takes a second

    path, suffixes = file_path(value), FigureCanvasBase.get_supported_filetypes()
    if path.name in ("", ".", ".."):
        raise click.BadParameter(f"{value!r} is not a file name")
    if not path.suffix[1:2].isalpha():
        return path.with_name(f"{path.name}.png")
    if path.suffix[1:].lower() not in suffixes:
        raise click.BadParameter(
            f"{path}: no format for {path.suffix!r}; known: {', '.join(sorted(suffixes))}"
        )
    return path


def folder(value: str) -> Path:
    """Return the path of a folder; raise an error if the path is that of a file."""
    path = file_path(value)
    if os.path.isfile(path):
        raise click.BadParameter(f"{path} is a file; expected a folder")
    return path


SAVED_WEIGHTS = FileType("file", lambda value: locate_file(value)[0])
"""The type of an option that names an existing weight file."""

NEW_WEIGHTS = FileType("file", weight_file)
"""The type of an option that names a weight file to write."""

NEW_ONNX = FileType("file", onnx_file)
"""The type of an argument that names an ONNX file to write."""

IMAGE = FileType("file", image_file)
"""The type of an option that names an image to write; the default suffix is ``.png``."""

FOLDER = FileType("folder", folder)
"""The type of an option that names a folder, which need not exist."""


def prepare_output(option: str, path: Path | None, is_folder: bool = False) -> None:
    """Create the folder that an option writes to, and check that it is writable.

    Raises:
        click.BadParameter: the folder is not writable; the message names the option and the path.
    """
    if path is None:
        return
    try:
        (path if is_folder else path.parent).mkdir(parents=True, exist_ok=True)
        require_writable(path / "new file" if is_folder else path)
    except OSError as error:
        raise click.BadParameter(
            f"{path} cannot be written: {reason(error)}", param_hint=f"'{option}'"
        ) from error


def reason(error: OSError) -> str:
    """Return the message of an error of the file system, without its number and the path."""
    if isinstance(error, FileExistsError):
        return f"{error.filename} is not a folder, or a broken link"
    return error.strerror or str(error)


def write_result(title: str, path: Path, write: Callable[[Path], list[Path] | None]) -> bool:
    """Call ``write(path)`` and print the returned paths, or ``path`` if the result is None.

    If the call fails, print the error, so that the program can still write other results.

    Returns:
        True if the call succeeded.
    """
    try:
        files = write(path) or [path]
    except Exception as error:
        click.echo(f"Error: {path} was not written: {error}", err=True)
        return False
    click.echo(f"{title}: {', '.join(map(str, files))}")
    return True


def rescue(model: Model, path: Path) -> None:
    """Save the weights under a new name, because writing to ``path`` failed; print the new name.

    ``w.npz`` becomes ``w.rescued.npz`` in the same folder or, if that fails, in the current folder.
    """
    for folder in (path.parent, Path()):
        file = folder / f"{path.stem}.rescued.npz"
        try:
            model.save_weights(file)
        except Exception as error:
            click.echo(f"Error: {file} was not written: {error}", err=True)
        else:
            click.echo(f"weights rescued: {file.absolute()}")
            return
