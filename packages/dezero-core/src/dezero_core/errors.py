"""Every error DeZero raises on purpose, and the hints that name what to install.

DezeroError                      with the path of the layer it passed through
├── ShapeError        ValueError     shapes that do not fit together
├── UnsupportedType   TypeError      a value that is no array of a known library
├── BackendMismatch   TypeError      one op, arrays of two libraries or devices
├── OutOfRange        IndexError     an index that an array does not have
├── ArgumentError     ValueError     a setting outside its range
│   └── ArgumentTypeError TypeError  a setting of the wrong type
├── LabelError        ValueError     class labels outside the range of the scores
├── GraphError        RuntimeError   no graph, a spent graph, a misused Function
├── AnomalyError      ArithmeticError  a NaN, inside detect_anomaly()
├── OutOfMemory       MemoryError    a device is full
├── PluginError       RuntimeError   an installed plugin that failed or is blocked
│   └── DeviceError                  an installed backend without a usable device
├── UnknownName       ValueError     a backend, format or setting nobody registered
├── CallError         TypeError      arguments that a layer or function does not take
├── MissingName       AttributeError a function, class or attribute that does not exist
├── DataMissing       FileNotFoundError  a file of weights or data that is nowhere
├── DataDamaged       ValueError     a dataset's file with other contents than published
├── MissingPackage    ImportError    a feature whose distribution is not installed
├── MissingProgram    FileNotFoundError  a feature that needs a program, which is not installed
└── WeightsError      ValueError     saving and loading
    ├── FormatError                  a file that cannot be read as weights
    │   └── LimitError               one that declares more than is allowed
    ├── KeyMismatch   KeyError       missing or unexpected keys
    ├── ShapeMismatch                a stored array of another shape
    ├── DtypeMismatch                a stored array of another dtype
    └── SaveError                    something that cannot be stored
"""

INSTALL_HINTS = {
    "dezero-core": "automatic differentiation: pip install dezero-core",
    "dezero-nn": "layers, models and optimizers: pip install dezero-nn",
    "dezero-io": "weight files, datasets and loaders: pip install dezero-io",
    "dezero-cuda": "NVIDIA GPUs: pip install 'dezero-cuda[cuda13]' (or [cuda12])",
    "dezero-onednn": "faster convolutions on x86-64 processors: pip install dezero-onednn",
    "dezero-testing": "tests of backends, ops and layers: pip install dezero-testing",
    "dezero-suite": "everything in one import: pip install dezero-suite",
}
"""Our own distributions and what each is for; the only place in core that names them."""

OUR_PLUGINS = {
    "numpy": "dezero_core.backends.numpy_backend",
    "nn": "dezero_nn.plugin",
    "io": "dezero_io.plugin",
    "cuda": "dezero_cuda.plugin",
    "onednn": "dezero_onednn.plugin",
}
"""Our own plugins by name, and their modules; see docs/adr/0021."""

BACKEND_HINTS = {"cuda": "dezero-cuda"}
FORMAT_HINTS = {".npz": "dezero-io", ".safetensors": "dezero-io"}


class DezeroError(Exception):
    """Root of the hierarchy.

    ``layer_path`` lists the layers the error passed through, outermost first.
    """

    layer_path: tuple[str, ...] = ()

    def __str__(self) -> str:
        message = Exception.__str__(self)
        return f"{message} (in model.{'/'.join(self.layer_path)})" if self.layer_path else message


class ShapeError(DezeroError, ValueError):
    """Shapes that do not fit together."""


class UnsupportedType(DezeroError, TypeError):
    """A value that is no array of any registered library."""


class BackendMismatch(DezeroError, TypeError):
    """Arrays of two libraries, or on two devices, in one op."""


class OutOfRange(DezeroError, IndexError):
    """An index that an array does not have."""


class ArgumentError(DezeroError, ValueError):
    """A setting outside its range."""


class ArgumentTypeError(ArgumentError, TypeError):
    """A setting of the wrong type, such as a float where an integer is expected."""


class LabelError(DezeroError, ValueError):
    """Class labels outside the range of the scores, or not integers."""


class GraphError(DezeroError, RuntimeError):
    """There is no graph to go back through, it is spent, or a Function was misused."""


class AnomalyError(DezeroError, ArithmeticError):
    """A NaN was met by a backward inside `detect_anomaly`."""


class OutOfMemory(DezeroError, MemoryError):
    """A device is full; the message says how full, and what may help."""


class PluginError(DezeroError, RuntimeError):
    """An installed plugin failed, or is blocked by the environment."""


class DeviceError(PluginError):
    """A backend is installed, but no usable device was found."""


class UnknownName(DezeroError, ValueError):
    """A backend, format or setting that nobody registered."""


class CallError(DezeroError, TypeError):
    """Arguments that a layer or function does not take."""


class MissingName(DezeroError, AttributeError):
    """A function, class or attribute that does not exist; the message may say what does."""


class DataMissing(DezeroError, FileNotFoundError):
    """A file of weights or of a dataset that is not there and cannot be downloaded."""


class DataDamaged(DezeroError, ValueError):
    """A file of a dataset whose contents are not what was published."""


class MissingPackage(DezeroError, ImportError):
    """The distribution that provides this feature is not installed."""


class MissingProgram(DezeroError, FileNotFoundError):
    """A program that a feature needs is not installed."""


class WeightsError(DezeroError, ValueError):
    """Parent of everything that goes wrong while saving or loading."""


class FormatError(WeightsError):
    """A file that cannot be read as weights."""


class LimitError(FormatError):
    """A file declares more bytes or members than is allowed."""


class KeyMismatch(WeightsError, KeyError):
    """Keys that are missing from a file, or that the model does not have."""


class ShapeMismatch(WeightsError):
    """A stored array has another shape than the parameter."""


class DtypeMismatch(WeightsError):
    """A stored array has another dtype than the parameter."""


class SaveError(WeightsError):
    """Something that cannot be stored, such as a parameter without data."""


class PluginWarning(UserWarning):
    """A plugin was left out; the message says which and why."""


class FunctionWarning(UserWarning):
    """A Function class does not say how its backward runs; the message says what was assumed."""
