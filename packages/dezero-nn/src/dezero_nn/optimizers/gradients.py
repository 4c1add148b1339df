"""Find the parameters that have a gradient, and check each gradient's shape, library and device."""

from __future__ import annotations

from collections.abc import Iterable

from dezero_core import Parameter, Variable
from dezero_core.errors import UnsupportedType
from dezero_core.state import require_gradient_of


def with_gradients(params: Iterable[Parameter]) -> list[Parameter]:
    """Return the parameters that have a gradient, in order.

    Raises:
        ShapeError: a gradient and its parameter have different shapes.
        BackendMismatch: a gradient and its parameter have different array libraries or devices.
        UnsupportedType: a parameter has no data yet.
    """
    return [param for param in params if gradient_of(param) is not None]


def gradient_of(param: Parameter) -> Variable | None:
    """Return the gradient of a parameter, or None; raise the errors of `with_gradients`."""
    grad = param.grad
    if grad is not None:
        if param.data is None:
            raise UnsupportedType(
                f"update: parameter {param.name!r} has a gradient but no data yet; run one "
                "forward pass first"
            )
        require_gradient_of(param, grad)
    return grad
