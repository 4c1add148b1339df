"""Define the training flag of layers, which ``train()`` and ``eval()`` set."""

from __future__ import annotations

from inspect import Parameter, getattr_static
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any

from dezero_core import Config
from dezero_core.config import Block, Setting, train
from dezero_core.errors import ArgumentError
from dezero_core.hints import signature_of

if TYPE_CHECKING:
    pass

FLAG = "_dezero_training"
"""Name of the attribute that holds the training flag: True, False, or None if the flag was not
set."""

MODES = {mode: Block(train, mode) for mode in (True, False)}
"""A dictionary from flags to context managers, which set ``Config.train`` for the functions that a
layer calls."""

_flags_apply = Setting("flags_apply", True)
flags_apply = _flags_apply.get


def without_flags() -> Block[bool]:
    """Return a context manager in which layers ignore their flags and use ``Config.train``.

    DeZero evaluates models in this context, because `test_mode` alone does not change a layer on
    which ``train()`` was called.
    """
    return Block(_flags_apply, False)


class Training:
    """Descriptor of the attribute ``training``; a subclass may use this name for another value.

    Reading ``training`` returns the flag, or ``Config.train`` if no flag is set. Assigning True or
    False sets the flag of this layer only. If the layer has no flag, assigning True changes
    nothing, so that `test_mode` still applies to subclasses that assign True. NumPy's bools, 0 and
    1 count as True or False. Any other value is stored like an ordinary attribute.
    """

    def __get__(self, layer: Any, owner: type) -> Any:
        if layer is None:  # raise, so that dataclasses see no default for the field
            raise AttributeError(f"type object {owner.__name__!r} has no attribute 'training'")
        state = vars(layer)
        if "training" in state:
            return state["training"]
        flag = state.get(FLAG)
        return Config.train if flag is None or not flags_apply() else flag

    def __set__(self, layer: Any, value: Any) -> None:
        state = vars(layer)
        if not is_bool(value) and not (type(value) is int and value in (0, 1)):
            state["training"] = value
            return
        state.pop("training", None)
        if not value or state.get(FLAG) is not None:
            state[FLAG] = bool(value)

    def __delete__(self, layer: Any) -> None:
        state = vars(layer)
        if "training" not in state and FLAG not in state:
            raise AttributeError(f"{type(layer).__name__}: there is no training to delete")
        del state["training" if "training" in state else FLAG]


def is_bool(value: Any) -> bool:
    """Return whether a value is a bool of Python or NumPy, or a 0-d array of bools."""
    is_array = getattr(value, "shape", None) == () and not hasattr(value, "requires_grad")
    return isinstance(value, bool) or (is_array and str(value.dtype) == "bool")


def flags_of(state: dict[str, Any]) -> tuple[Any, Any]:
    """Return the two attributes that decide whether a layer is in training mode."""
    return state.get(FLAG), state.get("training")


def set_flag(layer: Any, mode: bool | None) -> None:
    """Set the flag of one layer; if the layer's class defines a bool ``training``, set that too."""
    state: dict[str, Any] = vars(layer)
    state[FLAG] = mode
    if mode is not None and isinstance(getattr_static(layer, "training", None), bool):
        state["training"] = mode


def require_mode(name: str, mode: object) -> bool | None:
    """Return the mode; raise `ArgumentError` unless it is True, False or None."""
    if mode is None or is_bool(mode):
        return None if mode is None else bool(mode)
    raise ArgumentError(
        f"{name}.train: mode is {shortened(mode)}; expected True, False, or None to follow "
        "Config.train. A training step is loss.backward() and optimizer.update()"
    )


def takes_mode(method: Any) -> bool:
    """Return whether a method takes ``mode``, like PyTorch's ``train``."""
    try:
        _, first, *others = signature_of(method).parameters.values()
    except (TypeError, ValueError):  # not a function, or a function without a second parameter
        return False
    optional = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    fits = all(p.default is not p.empty or p.kind in optional for p in others)
    return first.name == "mode" and fits
