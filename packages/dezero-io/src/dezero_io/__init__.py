"""Weight files, datasets and loaders for DeZero."""

from dezero_core.extend import load_weights, save_weights

from .__about__ import __version__
from .datasets import Dataset, Digits
from .flatten import flatten_params
from .loaders import DataLoader

__all__ = [
    "DataLoader",
    "Dataset",
    "Digits",
    "__version__",
    "flatten_params",
    "load_weights",
    "save_weights",
]
