"""Register DeZero's plugins in a process of pytest: ``pytest -p gpu_plugins``."""

from gpu_rows import load_plugins

load_plugins()
