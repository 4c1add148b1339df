"""Initializers of weights, such as ``L.Linear(10, initializer=He())``."""

from dezero_nn.initializers import *  # noqa: F403 (their __all__ says what)
from dezero_nn.initializers import __all__ as __all__
