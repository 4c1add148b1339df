"""Datasets, transforms, and loaders of batches."""
