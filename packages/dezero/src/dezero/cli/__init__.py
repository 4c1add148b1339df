"""Define the command ``dezero`` with the subcommands train, eval, export, weights and info."""

from __future__ import annotations

from typing import Any

import click

from dezero import DezeroError, __version__

from .evaluate import evaluate
from .export import export
from .info import info
from .train import train
from .weights import weights


class Commands(click.Group):
    """Report a DezeroError or an OSError of a subcommand without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:  # click exits without a message when the reader closes the pipe
            raise
        except (DezeroError, OSError) as error:
            raise click.ClickException(str(error)) from error


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
