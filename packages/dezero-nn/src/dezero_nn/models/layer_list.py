"""Define models that call their layers one after the other and have a list of these layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from itertools import count, islice
from typing import TYPE_CHECKING, Any, SupportsIndex

from dezero_core.errors import ArgumentError
from dezero_core.state import CONTAINER, kind_of

from ..layers.layer import Layer
from .model import Model

AnyLayer = Callable[..., Any]


class LayerList(MutableSequence[AnyLayer]):
    """The list of a model's attributes ``l0``, ``l1``, ...; changes to the list change the model.

    Items are layers, or functions such as ``relu``. The items are stored in the attributes only,
    not in this list. Inserting or removing an item renames the items after it, for example from
    ``l2`` to ``l3`` or to ``l1``.

    Raises:
        ArgumentError: an item cannot be called.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def _items(self) -> list[AnyLayer]:
        return list(layers_of(self._model).values())

    def _replace(self, items: list[AnyLayer]) -> None:
        """Set the attributes to ``items``; delete names at the end, or add new ones, as needed."""
        for position, item in enumerate(items):
            require_callable(self._model, f"layer {position}", item)
        state = vars(self._model)
        names = list(layers_of(self._model))
        for name in names[len(items) :]:
            del state[name]
        start = number_of(names[-1]) + 1 if names else 0
        free = (name for name in map("l{}".format, count(start)) if name not in state)
        names += islice(free, max(len(items) - len(names), 0))
        state.update(zip(names, items, strict=False))
        in_order_of_calls(self._model)

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[AnyLayer]:
        return iter(self._items())

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        return self._items()[index]

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        items = self._items()
        items[index] = value
        self._replace(items)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        items = self._items()
        del items[index]
        self._replace(items)

    def insert(self, index: int, value: AnyLayer) -> None:
        """Insert a layer before the one at ``index``."""
        items = self._items()
        items.insert(index, value)
        self._replace(items)

    def __add__(self, other: Iterable[AnyLayer]) -> list[AnyLayer]:
        return [*self, *other]

    def __radd__(self, other: Iterable[AnyLayer]) -> list[AnyLayer]:
        return [*other, *self]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayerList | list) and self._items() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._items())


class Layered(Model):
    """A model whose layers are the attributes ``l0``, ``l1``, ... and the list ``layers``.

    ``model.l1 = layer`` and ``model.layers[1] = layer`` do the same. The list ``layers`` can be
    changed like any other Python list. Layers are called in the order of their numbers, including
    attributes that are added later, such as ``l2``. ``del model.l1`` removes a layer; the other
    layers keep their names. A value that cannot be called, such as a weight decay ``l2 = 1e-4``, is
    an ordinary attribute; it cannot replace a layer. Parameters are listed in the order in which
    the layers are called.

    Args:
        layers: layers or functions.

    Raises:
        ArgumentError: a layer cannot be called; or a layer such as ``l1`` was set before
            ``super().__init__()``, which sets ``l0``, ``l1``, ...
    """

    def __init__(self, layers: Iterable[AnyLayer]) -> None:
        for name in layers_of(self):
            raise ArgumentError(
                f"{type(self).__name__}: {name} was set before super().__init__(), which sets l0, "
                "l1, ...; call super().__init__() first"
            )
        self.layers = layers

    @property
    def layers(self) -> LayerList:
        """The layers in the order in which they are called."""
        return LayerList(self)

    @layers.setter
    def layers(self, layers: Iterable[AnyLayer]) -> None:
        self.layers._replace(list(layers))

    if not TYPE_CHECKING:  # type checkers must report unknown attributes

        def __setattr__(self, name: str, value: object) -> None:
            if name[:1] != "l" or not name[1:].isdecimal():
                super().__setattr__(name, value)
                return
            if name in layers_of(self) or kind_of(value) == CONTAINER:
                require_callable(self, name, value)
            super().__setattr__(name, value)
            in_order_of_calls(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a model from a pickle; old pickles also contain a list of the layers."""
        state = dict(state)
        is_ours = type(self).layers is Layered.layers
        layers = state.pop("layers", None) if is_ours else None
        vars(self).update(state)
        if layers is not None:
            self.layers = layers
        in_order_of_calls(self)


def layers_of(model: Model) -> dict[str, AnyLayer]:
    """Return the callable attributes named like ``l12``, in the order of their numbers."""
    items = list(vars(model).items())  # another thread may set an attribute meanwhile
    layers = {x: y for x, y in items if x[:1] == "l" and x[1:].isdecimal() and callable(y)}
    return {name: layers[name] for name in sorted(layers, key=number_of)}


def in_order_of_calls(model: Model) -> None:
    """Sort the layer attributes by number, so that parameters are listed in the order of calls."""
    state, ordered = vars(model), layers_of(model)
    if [name for name in state if name in ordered] != list(ordered):
        names = iter(ordered)
        order = [next(names) if name in ordered else name for name in state]
        model.__dict__ = {name: state[name] for name in order}


def number_of(name: str) -> int:
    """Return the number of a layer, such as 12 for ``l12``."""
    return int(name[1:])


def require_callable(model: Model, name: str, item: object) -> None:
    """Raise `ArgumentError` if a layer cannot be called, or is a class."""
    if isinstance(item, type) and issubclass(item, Layer):
        what = f"{type(model).__name__}: {name} is the class {item.__name__}"
        raise ArgumentError(f"{what}; expected a layer, such as {item.__name__}()")
    if not callable(item):
        raise ArgumentError(
            f"{type(model).__name__}: {name} is of type {type(item).__name__}; expected a layer or "
            "a function; del removes a layer"
        )
