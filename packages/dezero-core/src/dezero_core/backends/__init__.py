"""Define the interface of array backends, find them, and register NumPy's."""

from ..plugins import plugins
from . import numpy_backend
from .host import HOST

plugins.register(numpy_backend, HOST, "dezero-core")
