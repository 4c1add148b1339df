"""``python -m dezero``: the same as the command ``dezero``."""

from .cli import main

main(prog_name="dezero")
