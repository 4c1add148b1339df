"""Re-export the initializers of weights, used as in ``L.Linear(10, initializer=He())``."""

from dezero_nn.initializers import *  # noqa: F403 (the source modules define __all__)
from dezero_nn.initializers import __all__ as __all__
