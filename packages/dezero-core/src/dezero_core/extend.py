"""Re-export what plugin authors need: backends, ops, kernels, file formats and engines.

A plugin is an installed distribution that implements hooks; `dezero_core.hookspecs` defines the
hooks. DeZero's own packages also import `dezero_core.state`, `dezero_core.arguments` and
`dezero_core.dtypes`; the functions in these modules may change in any version.
"""

from .backends.host import generator, rank_generator
from .backends.interface import Array, ArrayBackend, BackendSpec, Memory
from .backends.kernels import Kernel, kernel_log, kernel_op, ops
from .backends.registry import backend_names, backend_of, get_backend
from .communicators import Communicator, CommunicatorSpec, get_communicator
from .first_use import once
from .formats import Limits, Stored, WeightFormat
from .grad_ready import add_grad_ready, on_grad_ready
from .hookspecs import DEZERO_API, hookimpl
from .plugins import plugins
from .variable import unwrap

__all__ = [  # noqa: RUF022 (grouped by what a plugin adds)
    # every plugin
    "DEZERO_API",
    "hookimpl",
    "plugins",
    # backends: docs/backends.md
    "Array",
    "ArrayBackend",
    "BackendSpec",
    "Memory",
    "backend_names",
    "backend_of",
    "generator",
    "get_backend",
    # ops and kernels: docs/kernels.md
    "Kernel",
    "kernel_log",
    "kernel_op",
    "once",
    "ops",
    "unwrap",
    # engines of parallel training: docs/extending.md
    "Communicator",
    "CommunicatorSpec",
    "add_grad_ready",
    "get_communicator",
    "on_grad_ready",
    "rank_generator",
    # files
    "Limits",
    "Stored",
    "WeightFormat",
]
