"""Define the command ``dezero`` with the subcommands train, eval, export, weights and info."""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any

import click

from dezero import DezeroError, __version__

from .evaluate import evaluate
from .export import export
from .files import reason
from .info import info
from .train import train
from .weights import weights

MAX_PARTS = 8
"""Number of parts of an error message, separated by semicolons, that are printed at most."""


class Commands(click.Group):
    """Print each error and each warning of a subcommand as one line without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        escape_characters()
        with warnings.catch_warnings():
            warnings.showwarning = print_warning
            try:
                return super().invoke(context)
            except BrokenPipeError:  # click exits without a message when the reader closes the pipe
                raise
            except (DezeroError, Warning) as error:  # python -W error raises warnings
                raise click.ClickException(shorten_message(str(error))) from error
            except OSError as error:
                name = f"{error.filename}: " if error.filename else ""
                raise click.ClickException(f"{name}{reason(error)}") from error


def escape_characters() -> None:
    """Let standard output escape a character that its encoding lacks, instead of raising an error.

    On Windows, for example, output to a file or a pipe has an encoding of 256 characters.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def print_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    """Print a warning as one line, without the line of code that issued it."""
    click.echo(f"Warning: {message}", err=True)


def shorten_message(message: str) -> str:
    """Return the first parts and the last part of an error message, or the whole if it has few.

    A file that does not fit a model may differ from the model in hundreds of keys.
    """
    parts = message.split("; ")
    if len(parts) <= MAX_PARTS:
        return message
    count = len(parts) - MAX_PARTS
    return "; ".join([*parts[: MAX_PARTS - 1], f"({count} more differences)", parts[-1]])


@click.group(cls=Commands)
@click.version_option(__version__)
def main() -> None:
    """Train and evaluate small networks; show what is installed."""


main.add_command(train)
main.add_command(evaluate, "eval")
main.add_command(export)
main.add_command(weights)
main.add_command(info)

__all__ = ["main"]
