"""Define the command ``dezero weights``, which lists, verifies and converts weight files."""

from __future__ import annotations

from pathlib import Path

import click

from dezero_core.extend import Limits, Stored
from dezero_core.state import format_for, locate_file

from .files import NEW_WEIGHTS, SAVED_WEIGHTS, prepare_output

MAX_TEXT = 200
"""Number of characters of a name or a metadata text that are printed at most."""

MAX_BYTES = click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=Limits.max_bytes,
    show_default=True,
    help="Refuse files whose arrays take more bytes.",
)


@click.group()
def weights() -> None:
    """List, verify and convert weight files."""


@weights.command()
@click.argument("file", type=SAVED_WEIGHTS)
@MAX_BYTES
def show(file: Path, max_bytes: int) -> None:
    """List the arrays and the metadata in FILE."""
    stored = read(file, max_bytes)
    width = max([len(printable(key)) for key in stored.arrays], default=0)
    for key, x in stored.arrays.items():
        shape = " x ".join(map(str, x.shape)) or "scalar"
        click.echo(
            f"{printable(key):{width}}  {stored.kinds.get(key, ''):6}  {x.dtype.name:8}  {shape}"
        )
    click.echo(total(stored))
    for name, text in stored.metadata.items():
        click.echo(f"{printable(name)}: {printable(text)}")


@weights.command()
@click.argument("file", type=SAVED_WEIGHTS)
@MAX_BYTES
def verify(file: Path, max_bytes: int) -> None:
    """Read all of FILE and verify every checksum."""
    stored = read(file, max_bytes)
    checks = "checksums and SHA-256" if stored.kinds else "checksums, if any; it has no manifest"
    click.echo(f"{file}: complete, {total(stored)}; compared {checks}")


@weights.command()
@click.argument("file", type=SAVED_WEIGHTS)
@click.argument("to", type=NEW_WEIGHTS)
@click.option("--compress", is_flag=True, help="Write a smaller file, if the format supports it.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@MAX_BYTES
def convert(file: Path, to: Path, compress: bool, force: bool, max_bytes: int) -> None:
    """Convert FILE to the format that the suffix of TO names."""
    if to.exists() and not force:
        raise click.UsageError(f"{to} exists: add --force to replace it")
    prepare_output("TO", to)
    stored = read(file, max_bytes)
    _, file_format = format_for(to)
    file_format.write(to, Stored(stored.arrays, stored.kinds, stored.metadata, compress))
    click.echo(f"{to}: {total(stored)}")


def read(file: Path, max_bytes: int) -> Stored:
    """Read a whole file, and verify every checksum."""
    _, file_format = locate_file(file)
    return file_format.read(file, Limits(max_bytes, verify=True))


def total(stored: Stored) -> str:
    """Return a text with the number of arrays and their total size."""
    size = sum(x.nbytes for x in stored.arrays.values())
    return f"{len(stored.arrays)} arrays, {size / 2**20:.1f} MB"


def printable(text: str) -> str:
    """Return a text from a file on one line; escape control characters, and cut a long text."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}... ({len(text):,} characters)"
