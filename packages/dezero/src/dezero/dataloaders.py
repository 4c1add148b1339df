"""The book's ``dezero.dataloaders``."""

from dezero_io.loaders import DataLoader

__all__ = ["DataLoader"]
