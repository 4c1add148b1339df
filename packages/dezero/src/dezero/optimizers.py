"""The contents of the book's ``dezero.optimizers``, and learning-rate schedules."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting
from dezero_nn.hints import OPTIMIZERS
from dezero_nn.optimizers import *  # noqa: F403 (their __all__ says what)
from dezero_nn.optimizers import __all__ as __all__

if not TYPE_CHECKING:  # without __getattr__, type checkers report unknown names
    __getattr__ = hinting(__name__, OPTIMIZERS)
