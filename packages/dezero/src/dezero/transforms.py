"""The contents of the book's ``dezero.transforms``."""

from dezero_io.data.transforms import *  # noqa: F403 (their __all__ says what)
from dezero_io.data.transforms import __all__ as __all__
