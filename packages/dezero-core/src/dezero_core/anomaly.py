"""Find the op that computed the first NaN: `detect_anomaly`."""

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
    """In this block, ``backward`` raises an error that names the op with the first NaN.

    Use it as a block or a decorator; see `dezero_core.config.Block`.

    If the Variable that backward starts from has a NaN, the error names the first call in the
    graph with a NaN in its output, else the first call with a NaN in its gradients. Reading every
    gradient makes the program wait for the device: use it to find an error, not to train.

    Raises:
        AnomalyError: raised by ``backward``, before it writes any ``grad``.
    """
    return named_block("detect_anomaly", _detect, True, function)


def check_forward(y: Variable) -> None:
    """Raise if ``y`` has a NaN; name its first ancestor with a NaN in its output."""
    if not has_nan(y.data):
        return
    for function in reversed(ancestors(y)):
        if any(has_nan(y) for y in output_arrays(function)):
            raise AnomalyError(f"the first NaN was computed by {described(function)}")


def check_input_gradients(function: Function, gxs: tuple[Any, ...]) -> None:
    """Raise if the backward of a call has returned a gradient with a NaN."""
    for position, gx in enumerate(gxs):
        if function._needs_grad[position] and has_nan(unwrap(gx)):
            raise AnomalyError(
                f"the gradient of input {position} is NaN, passed on by {described(function)}"
            )


def output_arrays(function: Function) -> tuple[Any, ...]:
    """Return the output arrays of a call; a freed call has none."""
    result = function._result
    return result if isinstance(result, tuple) else () if result is None else (result,)


def has_nan(array: object) -> bool:
    """Return whether an array of floats has a NaN."""
    if not hasattr(array, "dtype"):
        return False
    xp = get_array_module(array)
    return bool(xp.isdtype(array.dtype, "real floating") and xp.any(xp.isnan(array)))


def described(function: Function) -> str:
    """Return the name and number of a call, with its inputs."""
    inputs = [summary(x) for x in function._call_inputs()] if function._arrays is not None else []
    return f"{type(function).__name__} (call {function._serial}) of {', '.join(inputs)}"


def summary(x: object) -> str:
    """Return the name, shape, dtype and range of an input as text."""
    array = unwrap(x)
    if not hasattr(array, "dtype"):
        return repr(array)
    name = f"{x.name} " if isinstance(x, Variable) and x.name else ""
    text = f"{name}{tuple(array.shape)} {array.dtype}"
    xp = get_array_module(array)
    if 0 not in array.shape and xp.isdtype(array.dtype, ("real floating", "integral")):
        text += f" from {float(xp.min(array)):g} to {float(xp.max(array)):g}"
    return text
