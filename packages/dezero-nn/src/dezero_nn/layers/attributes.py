"""Define the attributes of a layer that hold its parameters and the record of its last call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from dezero_core import Buffer, Parameter, Variable
from dezero_core.errors import ArgumentTypeError

if TYPE_CHECKING:
    from .layer import Layer

INPUTS, OUTPUTS = "_dezero_inputs", "_dezero_outputs"
"""Attributes that store the inputs and outputs of a layer's last call; subclasses must not use
these names."""

STORED = Parameter, Buffer
"""Types of attributes that are saved in weight files."""


class LastCall:
    """Descriptor of ``inputs`` or ``outputs``; a layer may have its own attribute of that name."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, layer: Layer | None, owner: type) -> tuple[ref[Any] | None, ...]:
        return () if layer is None else vars(layer).get(self.key, ())


def weakly(xs: tuple[Any, ...]) -> tuple[ref[Any] | None, ...]:
    """Return a weak reference to each value, or None if the value, like a number, allows none."""
    try:
        return tuple(map(ref, xs))
    except TypeError:
        return tuple([ref(x) if isinstance(x, Variable) else None for x in xs])


PYTORCH_NAMES = {"weight": ("W", "gamma", "a"), "bias": ("b", "beta")}
"""A dictionary from PyTorch's names of parameters to the names in this package's layers."""


def require_own_name(layer: Layer, name: str) -> None:
    """Raise `ArgumentTypeError` if ``name`` is PyTorch's name of a parameter of ``layer``.

    The layer would not use an attribute of that name. Layers that programs define may have one.
    """
    cls = type(layer)
    own = [key for key in PYTORCH_NAMES[name] if key in vars(layer)]
    if own and cls.__module__.startswith("dezero_nn."):
        raise ArgumentTypeError(
            f"{cls.__name__}: {name} is PyTorch's name of the parameter {own[0]}; write "
            f"layer.{own[0]}.data = array, or layer.{own[0]} = Parameter(array)"
        )


def require_variable(layer: Layer, name: str, value: object) -> None:
    """Raise `ArgumentTypeError` for a value that cannot replace a Parameter or Buffer.

    An array in place of a Parameter would be neither trained nor saved. A Variable may replace a
    Parameter, so that weights can be computed from other weights. An optional parameter may be set
    to None, and later to a Parameter.
    """
    current, cls = vars(layer).get(name), type(layer)
    expected = type(current).__name__ if isinstance(current, STORED) else "Parameter"
    if isinstance(value, STORED) or (isinstance(value, Variable) and expected != "Buffer"):
        return
    if value is None and name not in cls._needed:
        return
    is_array = hasattr(value, "shape") or isinstance(value, int | float)
    if is_array or name in cls._needed or name in cls._optional:
        write_data = f"layer.{name}.data = array, or " if isinstance(current, STORED) else ""
        raise ArgumentTypeError(
            f"{cls.__name__}: {name} is a {expected}, got {type(value).__name__}; write "
            f"{write_data}layer.{name} = {expected}(array)"
        )
