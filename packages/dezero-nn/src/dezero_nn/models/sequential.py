"""A chain of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .model import Model


class Sequential(Model):
    """Each output is the next one's input (book step 45).

    Args:
        layers: layers, or plain functions such as ``relu``; layers are also attributes ``l0``,
            ``l1``, ... by their position, and so are their keys.
    """

    def __init__(self, *layers: Callable[..., Any]) -> None:
        for position, layer in enumerate(layers):
            setattr(self, f"l{position}", layer)
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x
