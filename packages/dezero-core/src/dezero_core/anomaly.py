"""Define `detect_anomaly`, which finds the op that computed the first NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .config import Setting, named_block
from .errors import AnomalyError
from .function import Function
from .graph import ancestors
from .variable import Variable, get_array_module, unwrap

_detect = Setting("detect_anomaly", False)
detecting = _detect.get


def detect_anomaly(function: Callable[..., Any] | None = None) -> Any:
    """Make ``backward`` raise an error that names the op that computed the first NaN.

    Use `detect_anomaly` in a ``with`` statement or as a decorator; see `dezero_core.config.Block`.

    If the Variable that backward starts from contains a NaN, the error names the earliest call
    whose output contains one. Otherwise the error names the first call whose backward returned a
    NaN. Checking every gradient makes the program wait for the device, so use `detect_anomaly` for
    debugging, not for training.

    Raises:
        AnomalyError: ``backward`` found a NaN. The error is raised before any ``grad`` is written.
    """
    return named_block("detect_anomaly", _detect, True, function)


def check_forward(y: Variable) -> None:
    """Raise `AnomalyError` if ``y`` contains a NaN; name the earliest call that computed one."""
    if not has_nan(y.data):
        return
    for function in reversed(ancestors(y)):
        result = function._result  # None if the call was freed
        if any(map(has_nan, result if isinstance(result, tuple) else (result,))):
            raise AnomalyError(f"the first NaN was computed by {describe_call(function)}")


def check_input_gradients(function: Function, gxs: tuple[Any, ...]) -> None:
    """Raise `AnomalyError` if a call's backward returned a gradient that contains a NaN."""
    for position, gx in enumerate(gxs):
        if function._needs_grad[position] and has_nan(unwrap(gx)):
            raise AnomalyError(
                f"the gradient of input {position} is NaN, returned by the backward of "
                f"{describe_call(function)}"
            )


def has_nan(array: object) -> bool:
    """Return whether a floating-point array contains a NaN."""
    if not hasattr(array, "dtype"):
        return False
    xp = get_array_module(array)
    return bool(xp.isdtype(array.dtype, "real floating") and xp.any(xp.isnan(array)))


def describe_call(function: Function) -> str:
    """Describe a call by its class, serial number and inputs."""
    inputs = [summary(x) for x in function._call_inputs()] if function._arrays is not None else []
    return f"{type(function).__name__} (call {function._serial}) of {', '.join(inputs)}"


def summary(x: object) -> str:
    """Describe an input by its name, shape, dtype and range of values."""
    array = unwrap(x)
    if not hasattr(array, "dtype"):
        return repr(array)
    name = f"{x.name} " if isinstance(x, Variable) and x.name else ""
    text = f"{name}{tuple(array.shape)} {array.dtype}"
    xp = get_array_module(array)
    if 0 not in array.shape and xp.isdtype(array.dtype, ("real floating", "integral")):
        text += f" from {float(xp.min(array)):g} to {float(xp.max(array)):g}"
    return text
