"""Check an engine of parallel training: ``python -m dezero_testing communicator NAME``.

Start the command with the launcher of the engine, such as ``mpiexec -n 3``. Rank 0 prints a line
for each check, and every rank prints its failures. The exit status is 1 if a check failed.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser

from dezero_core.errors import DezeroError
from dezero_core.extend import get_communicator

from .communicators import check_communicator, communicator_checks, report


def main() -> int:
    """Run the checks on this rank; return the exit status."""
    parser = ArgumentParser(prog="python -m dezero_testing", description=__doc__)
    parser.add_argument("what", choices=["communicator"], help="what to check")
    parser.add_argument("name", help="the name of the engine, such as mpi")
    parser.add_argument("--backend", default="numpy", help="the arrays' backend (default numpy)")
    given = parser.parse_args()
    try:
        communicator = get_communicator(given.name)
    except DezeroError as error:
        sys.exit(str(error))
    if communicator is None:
        sys.exit("auto: no launcher started this process; pass the name of an engine, such as mpi")
    results = check_communicator(communicator, given.backend)
    # one write for all lines, so that the lines of the ranks do not mix
    os.write(1, report(results, communicator.rank, communicator.size).encode())
    failed = int(any(result.error for result in results))
    if results[-1].name != [check.name for check in communicator_checks()][-1]:
        communicator.abort()  # the other ranks wait for this one
    return failed


if __name__ == "__main__":
    sys.exit(main())
