"""Run the command ``dezero`` as ``python -m dezero``."""

from .cli import main

main(prog_name="dezero")
