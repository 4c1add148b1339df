"""The book's ``dezero.optimizers``, and learning-rate schedules."""

from dezero_nn.optimizers import *  # noqa: F403 (their __all__ says what)
from dezero_nn.optimizers import __all__ as __all__
