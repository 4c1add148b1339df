"""Re-export the initialisers of dezero-nn, for the argument ``initializer`` and for Parameters."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting
from dezero_nn.hints import INITIALIZERS
from dezero_nn.initializers import *  # noqa: F403 (the source module defines __all__)
from dezero_nn.initializers import __all__ as __all__

if not TYPE_CHECKING:  # type checkers that saw __getattr__ would accept every name
    __getattr__ = hinting(__name__, INITIALIZERS)
