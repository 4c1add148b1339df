"""Re-export the data loaders of dezero_io under the book's name ``dezero.dataloaders``."""

from dezero_io.data.loaders import DataLoader, SeqDataLoader
from dezero_io.data.samplers import WeightedRandomSampler

__all__ = ["DataLoader", "SeqDataLoader", "WeightedRandomSampler"]
