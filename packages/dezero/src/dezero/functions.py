"""The book's ``dezero.functions``: every op of dezero_core and dezero_nn."""

from typing import TYPE_CHECKING

from dezero_core import functions as _core
from dezero_core.functions import *  # noqa: F403 (their __all__ says what)
from dezero_core.hints import hinting
from dezero_nn import functions as _nn
from dezero_nn.functions import *  # noqa: F403
from dezero_nn.functions import batch_norm
from dezero_nn.hints import FUNCTIONS

batch_nrom = batch_norm
"""The book's spelling of `batch_norm`."""

__all__ = sorted(["batch_nrom", *_core.__all__, *_nn.__all__])

if not TYPE_CHECKING:  # type checkers know the names
    __getattr__ = hinting(__name__, FUNCTIONS)
