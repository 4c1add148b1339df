"""oneDNN's kernels for convolutions and products of matrices on the CPU. Importing loads none."""

from .__about__ import __version__

__all__ = ["__version__"]
