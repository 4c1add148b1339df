"""Register array libraries: the interface, the registry, and NumPy as the first plugin."""

from ..plugins import plugins
from . import numpy_backend
from .host import HOST

plugins.register(numpy_backend, HOST, "dezero-core")
