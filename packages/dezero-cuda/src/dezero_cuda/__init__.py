"""Run DeZero on NVIDIA GPUs through CuPy, which is imported at first use."""

from .__about__ import __version__
from .probe import is_available, why_unavailable

__all__ = ["__version__", "is_available", "why_unavailable"]
