"""Define the interface of array backends, find backends, and register the NumPy backend."""

from ..plugins import plugins
from . import numpy_backend
from .host import HOST

plugins.register(numpy_backend, HOST, "dezero-core")
