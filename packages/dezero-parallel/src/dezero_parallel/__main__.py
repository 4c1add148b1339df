"""Run a program on each rank, so that an error of one rank ends all ranks."""

from __future__ import annotations

import os
import runpy
import sys
import traceback

from dezero_parallel.supervisor import ALONE, RECORD, STARTING, STATE, supervise

USAGE = "usage: python -m dezero_parallel (PROGRAM.py | -m MODULE) [ARGUMENT ...]"


def main() -> None:
    """Connect this rank to the others, then run the program that ``sys.argv`` names.

    An error in the first lines of the program would otherwise leave other ranks waiting for this
    rank to start: MPICH and Intel MPI have no time limit for the start.
    """
    is_module = sys.argv[1:2] == ["-m"]
    del sys.argv[: 1 + is_module]
    if not sys.argv:
        RECORD[STATE] = ALONE
        sys.exit(USAGE)
    connect()
    try:
        if is_module:
            sys.path[0] = os.getcwd()
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code:
            end_all(f"called sys.exit({end.code!r}), and ends all ranks")
        raise


def connect() -> None:
    """Connect this rank to the others, or record that this process is alone."""
    try:
        from dezero_parallel.worlds import World, world

        if not isinstance(world(), World):
            RECORD[STATE] = ALONE
    except Exception:
        if RECORD[STATE] != STARTING:
            raise
        traceback.print_exc()
        os._exit(1)  # if Python ended normally, MPI would wait for the other ranks


def end_all(reason: str) -> None:
    """Show ``reason`` and end all ranks; do nothing if this process is the only one."""
    from dezero_parallel.worlds import World, world

    ranks = world()
    if isinstance(ranks, World):
        ranks.watcher.end_all(reason)


if __name__ == "__main__":
    supervise(main)  # before NumPy is imported, which starts threads
