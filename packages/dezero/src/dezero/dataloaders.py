"""The contents of the book's ``dezero.dataloaders``."""

from dezero_io.data.loaders import DataLoader, SeqDataLoader

__all__ = ["DataLoader", "SeqDataLoader"]
