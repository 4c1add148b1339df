"""Format a layer as a tree, for ``repr``."""

from __future__ import annotations

from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any

from dezero_core import Buffer, Parameter
from dezero_core.hints import signature_of
from dezero_core.state import attributes

from .paths import sublayers

if TYPE_CHECKING:
    from .layer import Layer


def described(layer: Layer, above: tuple[Layer, ...]) -> str:
    """Format a layer as a tree with its settings, parameter shapes and sublayers."""
    if any(layer is other for other in above):
        return f"{type(layer).__name__}(...)"
    settings = ", ".join(f"{name}={value}" for name, value in settings_of(layer).items())
    params = {name: x for name, x in attributes(layer).items() if isinstance(x, Parameter | Buffer)}
    shapes = ", ".join(f"{name} {shape_of(x)}" for name, x in params.items())
    head = "; ".join(filter(None, (settings, shapes)))
    lines = [
        f"  ({name}): {child.__name__}"
        if isinstance(child, FunctionType | BuiltinFunctionType)
        else f"  ({name}): " + described(child, (*above, layer)).replace("\n", "\n  ")
        for name, child in named_children(layer)
    ]
    body = "\n".join(["", *lines, ""]) if lines else ""
    return f"{type(layer).__name__}({head}{body})"


def settings_of(layer: Layer) -> dict[str, Any]:
    """Return the arguments of ``__init__`` that are attributes and differ from their defaults."""
    settings = {}
    for name, parameter in signature_of(type(layer).__init__).parameters.items():
        value, default = attributes(layer).get(name), parameter.default
        parts = value if isinstance(value, tuple) else (value,)
        if all(isinstance(part, bool | int | float | str) for part in parts):
            is_default = repr(value) == repr(default) or {*map(repr, parts)} == {repr(default)}
            if not is_default:
                settings[name] = repr(value)
        elif isinstance(value, FunctionType | BuiltinFunctionType) and value is not default:
            settings[name] = value.__name__
    return settings


def named_children(layer: Layer) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each direct sublayer and each function in the attributes."""
    children = sublayers(layer)
    arguments = signature_of(type(layer).__init__).parameters
    for name, value in attributes(layer).items():
        if isinstance(value, FunctionType | BuiltinFunctionType) and name not in arguments:
            yield name, value
        for path, child in children.items():
            if path.partition("/")[0] == name:
                yield path, child


def shape_of(x: Parameter | Buffer) -> str:
    """Return the shape as a string, or "(waits)" if the shape depends on the first input."""
    return "(waits)" if x.data is None else str(x.shape)
