"""Provide datasets, transforms, and loaders of batches."""
