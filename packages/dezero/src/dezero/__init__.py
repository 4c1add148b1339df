"""The book's deep-learning framework in one import (*Deep Learning from Scratch 3*).

Everything here comes from dezero_core, dezero_nn and dezero_io; the modules have the book's
names. Importing it imports no array library but NumPy, and nothing that draws.
"""

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
    jacobian,
    no_grad,
    on_variables,
    precision,
    seed,
    test_mode,
    using_config,
)
from dezero_io import DataLoader, Dataset, SeqDataLoader
from dezero_nn import Layer, Model, get_num_threads, set_num_threads

from . import (
    core,
    cuda,
    dataloaders,
    datasets,
    functions,
    functions_conv,
    initializers,
    layers,
    models,
    optimizers,
    transforms,
    utils,
)
from .__about__ import __version__

__all__ = [
    "Buffer",
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
    "cuda",
    "dataloaders",
    "datasets",
    "detect_anomaly",
    "functions",
    "functions_conv",
    "get_num_threads",
    "grad",
    "hessian",
    "hvp",
    "initializers",
    "jacobian",
    "layers",
    "models",
    "no_grad",
    "on_variables",
    "optimizers",
    "precision",
    "seed",
    "set_num_threads",
    "test_mode",
    "transforms",
    "using_config",
    "utils",
]
