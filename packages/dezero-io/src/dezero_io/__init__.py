"""Weight files, datasets, loaders and transforms for DeZero."""

from dezero_core.extend import load_weights, save_weights

from . import transforms
from .__about__ import __version__
from .datasets import MNIST, Dataset, Digits, SinCurve, Spiral
from .download import data_folder
from .flatten import flatten_params
from .loaders import DataLoader, SeqDataLoader

__all__ = [
    "MNIST",
    "DataLoader",
    "Dataset",
    "Digits",
    "SeqDataLoader",
    "SinCurve",
    "Spiral",
    "__version__",
    "data_folder",
    "flatten_params",
    "load_weights",
    "save_weights",
    "transforms",
]
