"""Run a program on each rank, so that an error of one rank ends all: see `main`."""

from __future__ import annotations

import os
import runpy
import sys

from dezero_core.state import communicators
from dezero_parallel.supervisor import supervise
from dezero_parallel.worlds import World, world

USAGE = "usage: python -m dezero_parallel (PROGRAM.py | -m MODULE) [ARGUMENT ...]"


def main() -> None:
    """Run the program that ``sys.argv`` names; if a launcher started it, as a supervised rank."""
    is_module = sys.argv[1:2] == ["-m"]
    del sys.argv[: 1 + is_module]
    if not sys.argv:
        sys.exit(USAGE)
    if any(spec.launched() for spec, _ in communicators()):
        supervise(lambda: run(is_module))
    else:
        run(is_module)


def run(is_module: bool) -> None:
    """Connect this rank to the others, then run the program.

    An error in the first lines of the program would otherwise leave other ranks waiting for this
    rank to start: MPICH and Intel MPI have no time limit for the start.
    """
    ranks = world()
    try:
        if is_module:
            sys.path[0] = os.getcwd()
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code and isinstance(ranks, World):
            ranks.watcher.end_all(f"called sys.exit({end.code!r}), and ends all ranks")
        raise


if __name__ == "__main__":
    main()
