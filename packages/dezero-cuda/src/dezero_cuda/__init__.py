"""NVIDIA GPUs for DeZero, through CuPy. Importing this imports no CuPy."""

from .__about__ import __version__
from .probe import is_available, why_unavailable

__all__ = ["__version__", "is_available", "why_unavailable"]
