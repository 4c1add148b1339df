"""oneDNN's kernels on the CPU: convolutions, LSTMs, products of matrices. Importing loads none."""

from .__about__ import __version__

__all__ = ["__version__"]
