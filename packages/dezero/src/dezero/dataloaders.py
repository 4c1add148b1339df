"""The book's ``dezero.dataloaders``."""

from dezero_io.loaders import DataLoader, SeqDataLoader

__all__ = ["DataLoader", "SeqDataLoader"]
