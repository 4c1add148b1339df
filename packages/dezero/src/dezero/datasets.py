"""The book's ``dezero.datasets``."""

from dezero_io.datasets import Dataset, Digits

__all__ = ["Dataset", "Digits"]
