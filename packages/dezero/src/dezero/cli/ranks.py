"""Define the option ``--ranks``, which trains one model in several processes."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from dezero_core.errors import INSTALL_HINTS, MissingPackage
from dezero_parallel import Alone, World, world

ranks_option = click.option(
    "--ranks",
    type=click.IntRange(min=1),
    help="Number of processes that train together, started by mpiexec. [default: 1]",
)
"""Add the option ``--ranks`` to a command."""


def require_rows(ranks: int | None, batch_size: int) -> None:
    """Check that a full batch has an example for each rank.

    Raises:
        click.UsageError: there are more ranks than examples in a batch.
    """
    if ranks is not None and ranks > batch_size:
        raise click.UsageError(
            f"--ranks {ranks} with --batch-size {batch_size}: each rank needs an example of a full "
            "batch; choose fewer ranks or a larger batch size"
        )


def connect(ranks: int | None) -> World | Alone:
    """Return the ranks of this job; if ``--ranks`` asks for several, start them instead.

    Raises:
        click.UsageError: a launcher started this process, and ``--ranks`` is not its number of
            ranks.
        MissingPackage: dezero-mpi or an MPI library is not installed.
        MissingProgram: ``mpiexec`` is not installed.
    """
    found = world()
    if ranks is None or ranks == found.size:
        return found
    if found.size > 1:
        raise click.UsageError(
            f"--ranks {ranks}: the launcher started {found.size} ranks; leave --ranks out"
        )
    start(ranks)


def start(ranks: int) -> NoReturn:
    """Replace this process by a launcher, which runs the same command on each rank.

    Raises:
        MissingPackage: dezero-mpi is not installed.
    """
    try:
        from dezero_mpi import launcher
    except ImportError as error:
        raise MissingPackage(
            f"--ranks {ranks}: dezero-mpi is not installed. {INSTALL_HINTS['dezero-mpi']}"
        ) from error
    launcher.start(ranks, ["-m", "dezero", *sys.argv[1:]])
