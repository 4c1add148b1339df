"""Layers: parameters and what is computed with them."""

from .layer import Layer
from .linear import Linear

__all__ = ["Layer", "Linear"]
