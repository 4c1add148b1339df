"""Re-export the API of *Deep Learning from Scratch 3* under the book's module names.

The classes and functions are defined in dezero_core, dezero_nn and dezero_io. Importing this
package imports NumPy, but no other array library and not matplotlib.
"""

from typing import TYPE_CHECKING

from dezero_core import (
    Buffer,
    Config,
    DezeroError,
    Function,
    Parameter,
    Variable,
    as_array,
    as_variable,
    detect_anomaly,
    grad,
    hessian,
    hvp,
    inherit,
    jacobian,
    jvp,
    no_grad,
    precision,
    seed,
    test_mode,
    using_config,
)
from dezero_core.hints import hinting
from dezero_io import (
    Checkpointer,
    DataLoader,
    Dataset,
    SeqDataLoader,
    load_checkpoint,
    save_checkpoint,
)
from dezero_nn import Layer, Model, get_num_threads, set_blas_threads, set_num_threads
from dezero_nn.hints import FUNCTIONS, TOP

from . import (
    core,
    core_simple,
    cuda,
    dataloaders,
    datasets,
    functions,
    functions_conv,
    initializers,
    layers,
    models,
    onnx,
    optimizers,
    parallel,
    transforms,
    utils,
)
from .__about__ import __version__
from .core import setup_variable
from .onnx import export_onnx, load_onnx_weights
from .parallel import world

is_simple_core = False
"""The book uses `core_simple` instead of `core` if this is True; always False in DeZero."""

__all__ = [
    "Buffer",
    "Checkpointer",
    "Config",
    "DataLoader",
    "Dataset",
    "DezeroError",
    "Function",
    "Layer",
    "Model",
    "Parameter",
    "SeqDataLoader",
    "Variable",
    "__version__",
    "as_array",
    "as_variable",
    "core",
    "core_simple",
    "cuda",
    "dataloaders",
    "datasets",
    "detect_anomaly",
    "export_onnx",
    "functions",
    "functions_conv",
    "get_num_threads",
    "grad",
    "hessian",
    "hvp",
    "inherit",
    "initializers",
    "is_simple_core",
    "jacobian",
    "jvp",
    "layers",
    "load_checkpoint",
    "load_onnx_weights",
    "models",
    "no_grad",
    "onnx",
    "optimizers",
    "parallel",
    "precision",
    "save_checkpoint",
    "seed",
    "set_blas_threads",
    "set_num_threads",
    "setup_variable",
    "test_mode",
    "transforms",
    "using_config",
    "utils",
    "world",
]

if not TYPE_CHECKING:  # type checkers that saw __getattr__ would accept every name
    _in_modules = {
        name: f"{module.__name__}.{name}"
        for module in (utils, transforms, datasets, initializers, optimizers, models, layers)
        for name in module.__all__
    }
    _functions = {name: f"dezero.functions.{name}" for name in functions.__all__}
    __getattr__ = hinting(__name__, {**_in_modules, **FUNCTIONS, **_functions, **TOP})
