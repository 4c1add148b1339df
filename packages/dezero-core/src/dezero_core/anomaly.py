"""Where the first NaN of a computation came from: `detect_anomaly`."""

from __future__ import annotations

from typing import Any

from .config import Setting, named_block
from .errors import AnomalyError
from .function import Function
from .graph import ancestors
from .variable import Variable, get_array_module, unwrap

_detect = Setting("detect_anomaly", False)
detecting = _detect.get


def detect_anomaly(function: Any = None) -> Any:
    """In this block, ``backward`` raises where it meets a NaN, and names the op it came from.

    Use it as a block or a decorator; see `dezero_core.config.Block`.

    If the Variable it starts from is NaN somewhere, that is the first call in the graph with a
    NaN in its result; else the first one whose gradients have one. Every gradient is looked at,
    so the device is waited for: use it to search, not to train.

    Raises:
        AnomalyError: from ``backward``; no ``grad`` has been written then.
    """
    return named_block("detect_anomaly", _detect, True, function)


def look_at_forward(y: Variable) -> None:
    """Raise if ``y`` has a NaN, naming the first call behind it whose result has one."""
    if not has_nan(y.data):
        return
    for function in reversed(ancestors(y)):
        if any(has_nan(result) for result in results(function)):
            raise AnomalyError(f"the first NaN was computed by {described(function)}")


def look_at_gradients(function: Function, gxs: tuple[Any, ...]) -> None:
    """Raise if one of the gradients that a call passes on has a NaN."""
    for position, gx in enumerate(gxs):
        if function._needs_grad[position] and has_nan(unwrap(gx)):
            raise AnomalyError(
                f"the gradient of input {position} is NaN, passed on by {described(function)}"
            )


def results(function: Function) -> tuple[Any, ...]:
    """The output arrays of a call; none of a spent one."""
    result = function._result
    return result if isinstance(result, tuple) else () if result is None else (result,)


def has_nan(array: Any) -> bool:
    """Whether an array of floats has a NaN."""
    if not hasattr(array, "dtype"):
        return False
    xp = get_array_module(array)
    return bool(xp.isdtype(array.dtype, "real floating") and xp.any(xp.isnan(array)))


def described(function: Function) -> str:
    """A call with its number and what it was given."""
    given = [summary(x) for x in function._call_inputs()] if function._arrays is not None else []
    return f"{type(function).__name__} (call {function._serial}) of {', '.join(given)}"


def summary(x: Any) -> str:
    """Name, shape, dtype and range of an input."""
    array = unwrap(x)
    if not hasattr(array, "dtype"):
        return repr(array)
    name = f"{x.name} " if isinstance(x, Variable) and x.name else ""
    text = f"{name}{tuple(array.shape)} {array.dtype}"
    xp = get_array_module(array)
    if 0 not in array.shape and xp.isdtype(array.dtype, ("real floating", "integral")):
        text += f" from {float(xp.min(array)):g} to {float(xp.max(array)):g}"
    return text
