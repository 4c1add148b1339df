"""Re-export the transforms of dezero_io under the book's name ``dezero.transforms``."""

from dezero_io.data.transforms import *  # noqa: F403 (the source modules define __all__)
from dezero_io.data.transforms import __all__ as __all__
