"""A chain of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dezero_core.errors import ArgumentError

from .model import Model


class Sequential(Model):
    """Each output is the next one's input (book step 45).

    Args:
        layers: layers, or plain functions such as ``relu``; layers are also attributes ``l0``,
            ``l1``, ... by their position, and so are their keys.

    Raises:
        ArgumentError: an argument cannot be called, such as a list of layers.
    """

    def __init__(self, *layers: Callable[..., Any]) -> None:
        for position, layer in enumerate(layers):
            if not callable(layer):
                raise ArgumentError(
                    f"Sequential: argument {position} is a {type(layer).__name__}; "
                    "expected layers or functions, one by one: Sequential(*layers)"
                )
            setattr(self, f"l{position}", layer)
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x
