"""Compute the gradient that a backward pass starts with."""

from __future__ import annotations

from typing import Any

from .backends.interface import Array
from .backends.precision import is_floating
from .backends.registry import backend_of
from .diagnosis import require_recorded
from .errors import GraphError
from .functions.casting import astype
from .variable import Variable, as_variable, get_array_module, require_gradient_of


def seed_for(y: Variable, gy: Variable | Array | None) -> Variable:
    """Return the gradient that a backward pass from ``y`` starts with: ``gy``, or ones if None.

    The device of ``y`` must be selected before the call; see `on_device_of`.

    Raises:
        GraphError: ``y`` does not require grad, or has no data.
        ShapeError: ``gy`` and ``y`` have different shapes.
        BackendMismatch: ``gy`` and ``y`` are arrays of different libraries, or on different
            devices.
    """
    if not y.requires_grad:
        raise GraphError(
            "backward(): this Variable has no graph: it was not computed, or was computed under "
            "no_grad() or from inputs that do not require grad, or unchain() removed its graph"
        )
    if y.data is None:
        raise GraphError("backward(): this Variable has no data; set x.data first")
    creator = y._creator
    if creator is not None and creator._result is not y.data:
        require_recorded(y, y.data, creator._result)
    if gy is None:
        ones = get_array_module(y).ones_like(y.data, dtype=seed_dtype(y))
        return Variable(ones, requires_grad=False)
    seed = as_variable(gy)
    if not is_floating(seed.dtype, backend_of(seed.data)):
        seed = astype(seed, seed_dtype(y))  # int8 sums could overflow
    require_gradient_of(y, seed)
    return seed


def seed_dtype(y: Variable) -> Any:
    """Return the dtype of the initial gradient: ``y.dtype`` if floating-point, else int64."""
    dtype, backend = y.data.dtype, backend_of(y.data)
    return dtype if is_floating(dtype, backend) else backend.xp.int64
