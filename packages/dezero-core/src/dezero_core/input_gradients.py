"""Run ``backward`` where the fast path does not apply, unbroadcast gradients, explain errors."""

from __future__ import annotations

from typing import Any

from .backends.interface import Array
from .backends.registry import by_type
from .backward_modes import plain_pass, run_foreign
from .diagnosis import add_note, require_memory
from .errors import DezeroError, GraphError, ShapeError
from .function import Function
from .functions.broadcast import sum_to
from .variable import AnyArray, Variable, get_array_module


def run_special(function: Function, gy: Any) -> Any:
    """Run the backward of a call with multiple outputs or hooks, or of a user's class.

    For an output without gradient, pass zeros, or None if ``materialize_grads`` is False.
    """
    gys = list(gy) if type(gy) is list else [gy]
    for index, y in enumerate(function._result if type(gy) is list else ()):
        if gys[index] is None and function.materialize_grads:
            zeros = get_array_module(y).zeros_like(y)
            gys[index] = Variable(zeros, requires_grad=False) if plain_pass.get() is None else zeros
    return function.backward(*gys) if function._is_ours else run_foreign(function, gys)


def unbroadcast(gx: AnyArray, x: Array, function: Function) -> Any:
    """Return ``gx`` summed to the shape of ``x``, an input that was broadcast in the call."""
    if not function.broadcasts:
        raise ShapeError(
            f"{type(function).__name__}.backward gave a gradient of shape {tuple(gx.shape)} "
            f"for an input of shape {tuple(x.shape)}"
        )
    return sum_to(gx, tuple(x.shape))


def not_a_gradient(gx: object, function: Function) -> GraphError:
    """Return the error for a gradient that is neither an array nor a Variable."""
    return GraphError(
        f"{type(function).__name__}.backward returned {type(gx).__name__}; expected an array or "
        "a Variable for each input, or None where an input has no gradient"
    )


def explain_failure(error: Exception, function: Function) -> None:
    """Add a note to ``error``: which op failed, and whether it confused arrays with Variables.

    Raises:
        OutOfMemory: the device has no free memory.
    """
    if isinstance(error, MemoryError) and not isinstance(error, DezeroError):
        require_memory(function, function._arrays or (), error)
    note = f"in {type(function).__name__}.backward"
    if has_confused_modes(error):
        note += (
            ", which runs on arrays in a plain backward() and on Variables with create_graph=True; "
            "write on_variables = True in its class if it always needs Variables (self.outputs[0] "
            "is the output, not a weak reference: do not call it)"
        )
    add_note(error, note)


def has_confused_modes(error: Exception) -> bool:
    """Return whether ``backward`` used an array like a Variable, or a Variable like an array."""
    if isinstance(error, AttributeError):
        owner, name = error.obj, error.name or ""
        if isinstance(owner, Variable):
            return any(hasattr(array_type, name) for array_type in by_type)
        is_array = type(owner) in by_type or isinstance(owner, memoryview)  # or ndarray.data
        return is_array and hasattr(Variable, name)
    names = ("Variable", *(array_type.__name__ for array_type in by_type))
    texts = [f"{name}' object is not callable" for name in names] + ["'memoryview'"]
    return isinstance(error, TypeError) and any(text in str(error) for text in texts)
