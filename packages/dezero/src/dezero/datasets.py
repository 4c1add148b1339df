"""The contents of the book's ``dezero.datasets``."""

from dezero_io.data.datasets import *  # noqa: F403 (their __all__ says what)
from dezero_io.data.datasets import __all__ as __all__
