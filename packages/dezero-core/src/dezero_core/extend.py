"""The door for authors of plugins: backends, kernels, weight formats and ops."""

from .arguments import (
    Axis,
    AxisLike,
    as_axes,
    as_axis,
    as_integer,
    as_integers,
    as_number,
    as_shape,
    is_sequence,
)
from .backends.host import generator, host_normal, seeded_generator, use_generator
from .backends.interface import CAPABILITIES, Array, ArrayBackend, BackendSpec, Memory
from .backends.kernels import Kernel, all_kernels, kernel_log, kernel_op, kernels_for, ops
from .backends.portable import is_basic, window_layout
from .backends.precision import is_floating, sum_over, to_floating, to_single
from .backends.registry import (
    accelerator,
    admit,
    backend_names,
    backend_of,
    default_backend,
    get_backend,
    on_device_of,
)
from .backends.transfer import move, move_beside, transfers
from .engine import on_grad_ready
from .first_use import create_once, once
from .formats import (
    FilePath,
    Limits,
    Stored,
    WeightFormat,
    file_path,
    format_for,
    located,
    registered_formats,
)
from .functions.casting import call_widened, floating, narrowed, widened
from .hookspecs import DEZERO_API, HOOK_VERSIONS, hookimpl
from .identity import WeakIdentityDict
from .in_place import own_data, updating
from .plugins import Catalog, PluginStatus, plugins
from .pointers import address_of, has_layout, is_writable
from .testing import GradientError, check_gradients
from .tree import children, named_params
from .variable import cast, require_gradient_of, unwrap
from .weights import (
    LoadReport,
    PyTorchArray,
    Snapshot,
    arrays_of,
    assign,
    dtype_name,
    limit_for,
    load_weights,
    require_fit,
    save_weights,
    stage_arrays,
)

__all__ = [
    "CAPABILITIES",
    "DEZERO_API",
    "HOOK_VERSIONS",
    "Array",
    "ArrayBackend",
    "Axis",
    "AxisLike",
    "BackendSpec",
    "Catalog",
    "FilePath",
    "GradientError",
    "Kernel",
    "Limits",
    "LoadReport",
    "Memory",
    "PluginStatus",
    "PyTorchArray",
    "Snapshot",
    "Stored",
    "WeakIdentityDict",
    "WeightFormat",
    "accelerator",
    "address_of",
    "admit",
    "all_kernels",
    "arrays_of",
    "as_axes",
    "as_axis",
    "as_integer",
    "as_integers",
    "as_number",
    "as_shape",
    "assign",
    "backend_names",
    "backend_of",
    "call_widened",
    "cast",
    "check_gradients",
    "children",
    "create_once",
    "default_backend",
    "dtype_name",
    "file_path",
    "floating",
    "format_for",
    "generator",
    "get_backend",
    "has_layout",
    "hookimpl",
    "host_normal",
    "is_basic",
    "is_floating",
    "is_sequence",
    "is_writable",
    "kernel_log",
    "kernel_op",
    "kernels_for",
    "limit_for",
    "load_weights",
    "located",
    "move",
    "move_beside",
    "named_params",
    "narrowed",
    "on_device_of",
    "on_grad_ready",
    "once",
    "ops",
    "own_data",
    "plugins",
    "registered_formats",
    "require_fit",
    "require_gradient_of",
    "save_weights",
    "seeded_generator",
    "stage_arrays",
    "sum_over",
    "to_floating",
    "to_single",
    "transfers",
    "unwrap",
    "updating",
    "use_generator",
    "widened",
    "window_layout",
]
