"""Provide the layers, losses, models and optimizers of DeZero."""

from . import functions, layers, models, optimizers
from .__about__ import __version__
from .blas import set_blas_threads
from .functions import *  # noqa: F403 (the source modules define __all__)
from .layers import *  # noqa: F403
from .models import *  # noqa: F403
from .optimizers import *  # noqa: F403
from .parallel import get_num_threads, set_num_threads
from .windows import get_conv_outsize, get_deconv_outsize, pair

__all__ = [
    "__version__",
    "functions",
    "get_conv_outsize",
    "get_deconv_outsize",
    "get_num_threads",
    "layers",
    "models",
    "optimizers",
    "pair",
    "set_blas_threads",
    "set_num_threads",
]
__all__ += functions.__all__
__all__ += layers.__all__
__all__ += models.__all__
__all__ += optimizers.__all__
