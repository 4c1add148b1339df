"""The book's ``dezero.transforms``."""

from dezero_io.transforms import AsType, Compose, Flatten, Normalize, ToFloat, ToInt

__all__ = ["AsType", "Compose", "Flatten", "Normalize", "ToFloat", "ToInt"]
