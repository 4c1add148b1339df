"""DeZero's core: define-by-run automatic differentiation on any array library.

Programs import from `dezero_core`; plugins also import from `dezero_core.extend`.
"""

from . import functions, numpy_functions, operators  # noqa: F401 (this binds Variable's operators)
from .__about__ import __version__
from .anomaly import detect_anomaly
from .backends.host import seed
from .config import Config, inherit, no_grad, precision, test_mode, using_config
from .derivatives import grad, hessian, hvp, jacobian, jvp
from .drawing import get_dot_graph, plot_dot_graph
from .errors import DezeroError
from .function import Function
from .variable import (
    Buffer,
    Parameter,
    Variable,
    as_array,
    as_variable,
    from_dlpack,
    get_array_module,
)

__all__ = [
    "Buffer",
    "Config",
    "DezeroError",
    "Function",
    "Parameter",
    "Variable",
    "__version__",
    "as_array",
    "as_variable",
    "detect_anomaly",
    "from_dlpack",
    "functions",
    "get_array_module",
    "get_dot_graph",
    "grad",
    "hessian",
    "hvp",
    "inherit",
    "jacobian",
    "jvp",
    "no_grad",
    "plot_dot_graph",
    "precision",
    "seed",
    "test_mode",
    "using_config",
]
