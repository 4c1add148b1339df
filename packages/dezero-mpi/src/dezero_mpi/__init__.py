"""Connect the processes of one training run by MPI, which is loaded at first use."""

from .__about__ import __version__

__all__ = ["__version__"]
