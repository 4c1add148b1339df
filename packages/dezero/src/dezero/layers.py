"""The book's ``dezero.layers``."""

from dezero_nn.layers import *  # noqa: F403 (their __all__ says what)
from dezero_nn.layers import __all__ as __all__
