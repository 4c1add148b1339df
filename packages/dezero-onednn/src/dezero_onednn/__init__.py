"""Compute convolutions and LSTMs on the CPU with oneDNN, which is loaded at first use."""

from .__about__ import __version__

__all__ = ["__version__"]
