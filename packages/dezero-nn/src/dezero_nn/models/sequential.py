"""Define `Sequential`, which calls layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, SupportsIndex

from dezero_core.errors import ArgumentError

from ..layers.training import FLAG, set_flag
from .layer_list import AnyLayer, Layered


class Sequential(Layered):
    """Call layers one after the other, each with the output of the previous one (book step 45).

    The model is also a list of its layers: it can be indexed, iterated and changed; see
    `LayerList`. A slice is a `Sequential` that shares the model's layers, and has the model's
    training flag (see `Layer.train`).

    Args:
        layers: layers, or plain functions such as ``relu``; they become the attributes ``l0``,
            ``l1``, ...; the keys of their parameters begin with these names.

    Raises:
        ArgumentError: an argument cannot be called, such as a list of layers.
    """

    def __init__(self, *layers: AnyLayer) -> None:
        for position, layer in enumerate(layers):
            if not callable(layer):
                is_named = isinstance(layer, Mapping)  # PyTorch's Sequential takes an OrderedDict
                raise ArgumentError(
                    f"Sequential: argument {position} is of type {type(layer).__name__}; expected "
                    "layers or functions, one by one: "
                    + ("Sequential(*layers.values())" if is_named else "Sequential(*layers)")
                    + ("; the layers are called l0, l1, ..." if is_named else "")
                )
        super().__init__(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[AnyLayer]:
        return iter(self.layers)

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        items = self.layers[index]
        if not isinstance(index, slice):
            return items
        part = Sequential(*items)
        set_flag(part, vars(self).get(FLAG))
        return part

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        self.layers[index] = value

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        del self.layers[index]

    def append(self, layer: AnyLayer) -> Sequential:
        """Append a layer; return the model."""
        self.layers.append(layer)
        return self

    def extend(self, layers: Iterable[AnyLayer]) -> Sequential:
        """Append several layers; return the model."""
        self.layers.extend(layers)
        return self

    def insert(self, index: int, layer: AnyLayer) -> Sequential:
        """Insert a layer before the one at ``index``; return the model."""
        self.layers.insert(index, layer)
        return self

    def pop(self, index: int = -1) -> AnyLayer:
        """Remove the layer at ``index``, by default the last, and return that layer."""
        return self.layers.pop(index)
