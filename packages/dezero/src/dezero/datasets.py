"""Re-export the datasets of dezero_io under the book's name ``dezero.datasets``."""

from dezero_io.data.datasets import *  # noqa: F403 (the source modules define __all__)
from dezero_io.data.datasets import __all__ as __all__
