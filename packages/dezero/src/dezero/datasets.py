"""Re-export the datasets of dezero_io under the book's name ``dezero.datasets``."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting
from dezero_io.data.datasets import *  # noqa: F403 (the source modules define __all__)
from dezero_io.data.datasets import __all__ as __all__
from dezero_io.data.hints import DATASETS

if not TYPE_CHECKING:  # type checkers that saw __getattr__ would accept every name
    __getattr__ = hinting(__name__, DATASETS)
