"""Define `Weighted`, the base class of layers with a weight and a bias."""

from __future__ import annotations

from inspect import signature
from typing import Any, ClassVar

from dezero_core import Parameter
from dezero_core.arguments import require_bool
from dezero_core.dtypes import dtype_name, is_floating
from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_core.extend import ArrayBackend, unwrap
from dezero_core.hints import named
from dezero_core.state import PyTorchArray, default_backend

from ..initializers import Initializer, LeCun
from .layer import Layer


class Weighted(Layer):
    """Base class of layers with a weight ``W``, often created at the first input, and a bias ``b``.

    Args:
        out_size: length of ``b``.
        nobias: leave ``b`` out.
        dtype: dtype of the parameters, a name or a NumPy dtype.
        initializer: draws ``W``; `LeCun` if None.

    Raises:
        ArgumentTypeError: ``nobias`` is not a bool, or ``initializer`` cannot be called with its
            four arguments.
    """

    _needed, _optional = ("W",), ("b",)
    output_axis: ClassVar[int] = 0  # the axis of W that has an index for each output

    def __init__(
        self, out_size: int, nobias: bool, dtype: object, initializer: Initializer | None
    ) -> None:
        name = type(self).__name__
        require_bool(name, "nobias", nobias, "; True leaves the bias out")
        self.dtype = parameter_dtype(name, dtype)
        if initializer is not None and not is_initializer(initializer):
            raise ArgumentTypeError(
                f"{name}: initializer {named(initializer)}: expected an Initializer, such as He(), "
                "or a function of shape, fan_in, fan_out and dtype"
            )
        self.initializer = initializer or LeCun()
        self.W = Parameter(None, name="W")
        self.b = None
        if not nobias:
            backend = default_backend()
            zeros = backend.xp.zeros((out_size,), dtype=backend.dtype(self.dtype))
            self.b = Parameter(zeros, name="b")

    def draw_W(
        self, shape: tuple[int, ...], fan_in: float, fan_out: int, backend: ArrayBackend
    ) -> None:
        """Draw ``W`` on the host, and move it to a backend.

        Raises:
            ArgumentError: the initializer returned anything but an array of this shape.
        """
        weights: Any = unwrap(self.initializer(shape, fan_in, fan_out, self.dtype))
        if getattr(weights, "shape", None) != shape:
            raise ArgumentError(
                f"{type(self).__name__}: the initializer returned {named(weights)}; expected an "
                f"array of shape {shape}"
            )
        self.W.data = backend.from_numpy(weights)

    def pytorch_pair(
        self, weight: tuple[int | None, ...], out_size: int, transposed: bool = False
    ) -> dict[str, PyTorchArray]:
        """Describe the arrays of PyTorch's layer, whose weight has the shape ``weight``."""
        arrays = {"W": PyTorchArray(("weight",), weight, transposed)}
        if self.b is not None:
            arrays["b"] = PyTorchArray(("bias",), (out_size,))
        return arrays


def is_initializer(x: object) -> bool:
    """Return whether an object can be called with a shape, two numbers and the name of a dtype."""
    if isinstance(x, type) or not callable(x):
        return False
    try:
        signature(x).bind("shape", "fan_in", "fan_out", "dtype")
    except TypeError:
        return False
    except ValueError:  # a function that is written in C may have no signature
        pass
    return True


def parameter_dtype(owner: str, dtype: object) -> str:
    """Check a dtype for parameters, and return its name.

    Args:
        owner: the name of the layer, for the error message.
        dtype: a name, a dtype or a type; its byte order is ignored.

    Raises:
        ArgumentError: ``dtype`` is not a real floating dtype of the default backend.
    """
    backend, name = default_backend(), dtype_name(dtype)
    try:
        resolved = backend.dtype({"float": "float64"}.get(name, name))
        is_real = is_floating(resolved, backend)
    except (AttributeError, TypeError, ValueError):
        is_real = False
    if not is_real:
        raise ArgumentError(f"{owner}: dtype {name!r}; expected a floating dtype such as float32")
    return dtype_name(resolved)
