"""Datasets."""

from .dataset import Dataset
from .digits import Digits

__all__ = ["Dataset", "Digits"]
