"""The book's ``dezero.datasets``."""

from dezero_io.datasets import *  # noqa: F403 (their __all__ says what)
from dezero_io.datasets import __all__ as __all__
