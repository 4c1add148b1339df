"""Re-export the layers of dezero_nn under the book's name ``dezero.layers``."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting
from dezero_nn.hints import LAYERS
from dezero_nn.layers import *  # noqa: F403 (the source modules define __all__)
from dezero_nn.layers import __all__ as __all__

if not TYPE_CHECKING:  # type checkers that saw __getattr__ would accept every name
    __getattr__ = hinting(__name__, LAYERS)
