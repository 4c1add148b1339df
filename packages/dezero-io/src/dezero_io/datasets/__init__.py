"""Datasets."""

from .curves import SinCurve, Spiral
from .dataset import Dataset
from .digits import Digits
from .mnist import MNIST

__all__ = ["MNIST", "Dataset", "Digits", "SinCurve", "Spiral"]
