"""The book's ``dezero.functions``: every op of dezero_core and dezero_nn."""

from dezero_core import functions as _core
from dezero_core.functions import *  # noqa: F403 (their __all__ says what)
from dezero_nn import functions as _nn
from dezero_nn.functions import *  # noqa: F403
from dezero_nn.functions import batch_norm

batch_nrom = batch_norm
"""The book's spelling of `batch_norm`."""

__all__ = sorted(["batch_nrom", *_core.__all__, *_nn.__all__])
