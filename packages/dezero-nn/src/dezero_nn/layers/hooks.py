"""Define the hooks of layers: functions that are called after the ``forward`` of a layer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dezero_core import Variable
from dezero_core.errors import ArgumentTypeError
from dezero_core.hints import named
from dezero_core.state import HookHandle

if TYPE_CHECKING:
    from .layer import Layer

HOOKS = "_dezero_hooks"
"""Name of the attribute that holds a layer's `LayerHooks`; missing before the first hook."""

LayerHook = Callable[[Any, tuple[Any, ...], Any], Any]
"""A hook takes a layer, its inputs and its output, and returns a new output or None."""


class LayerHooks:
    """Hold the hooks of one layer; the search for parameters does not enter this object."""

    def __init__(self) -> None:
        self.hooks: dict[int, Any] = {}

    def run(self, layer: Layer, inputs: tuple[Any, ...], output: Any) -> Any:
        """Call each hook with the output of the previous one; return the last output.

        If a hook raises an error, a note that names the hook is added to the error.

        Raises:
            ArgumentTypeError: a hook returned neither None nor Variables.
        """
        for hook in list(self.hooks.values()):
            try:
                returned = hook(layer, inputs, output)
            except Exception as error:
                with suppress(Exception):  # `add_note` fails for some exception classes
                    error.add_note(f"raised by the hook {named(hook)} of {type(layer).__name__}")
                raise
            if returned is not None:
                output = require_output(layer, hook, returned)
        return output


def require_output(layer: Layer, hook: LayerHook, returned: object) -> object:
    """Return what a hook returned; raise an error unless that is a Variable or a tuple of them."""
    parts = returned if isinstance(returned, tuple) else (returned,)
    if all(isinstance(part, Variable) for part in parts):
        return returned
    raise ArgumentTypeError(
        f"{type(layer).__name__}: the hook {named(hook)} returned {type(returned).__name__}; "
        "expected None, or a new output, which is a Variable or a tuple of Variables"
    )


def add_hook(layer: Layer, hook: Any) -> HookHandle:
    """Add a hook to a layer, and return a handle that removes the hook."""
    if not callable(hook):
        raise ArgumentTypeError(
            f"{type(layer).__name__}.register_hook: got {type(hook).__name__}; expected a function "
            "of the layer, its inputs and its output"
        )
    state: Any = vars(layer)
    return HookHandle(state.setdefault(HOOKS, LayerHooks()).hooks, hook)


def has_hooks(layer: Layer) -> bool:
    """Return whether a layer has hooks, so that its ``forward`` must be called."""
    found = vars(layer).get(HOOKS)
    return found is not None and bool(found.hooks)
