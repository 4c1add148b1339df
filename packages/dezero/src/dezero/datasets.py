"""The book's ``dezero.datasets``."""

from dezero_io.datasets import MNIST, Dataset, Digits, SinCurve, Spiral

__all__ = ["MNIST", "Dataset", "Digits", "SinCurve", "Spiral"]
