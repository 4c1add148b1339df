"""The book's ``dezero.models``."""

from dezero_nn.models import *  # noqa: F403 (their __all__ says what)
from dezero_nn.models import __all__ as __all__
