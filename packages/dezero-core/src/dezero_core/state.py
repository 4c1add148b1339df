"""Re-export functions for the parameters of a model, and for files that store parameters.

These functions are for DeZero's own packages, and may change in any version. The names in
`dezero_core.extend` are stable.
"""

from .backends.host import drawing_from, is_writable, own_streams, streams, use_rank
from .backends.registry import accelerator, default_backend, on_device_of
from .backends.transfer import match_device, move
from .communicators import communicators
from .formats import FilePath, file_path, format_for, locate_file, registered_formats
from .hook_handle import HookHandle
from .in_place import own_data, set_data, set_grad, updating
from .step_recorder import StepRecorder, recorder, require_no_recording, step_keys, step_numbers
from .tree import (
    CONTAINER,
    LAYER,
    LEAF,
    NOTHING,
    WITHOUT_KEYS,
    attributes,
    children,
    kind_of,
    named_params,
    require_tree,
)
from .variable import require_gradient_of
from .weights import (
    LoadReport,
    PyTorchArray,
    Snapshot,
    arrays_of,
    limit_for,
    load_weights,
    require_fit,
    save_weights,
    stage_arrays,
)
