"""The layers of a model that calls them one after the other, as a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import TYPE_CHECKING, Any

from dezero_core.errors import ArgumentError

from .model import Model

AnyLayer = Callable[..., Any]


class LayerList(MutableSequence[AnyLayer]):
    """The attributes ``l0``, ``l1``, ... of a model as a list; a change of one changes the other.

    Items are layers, or functions such as ``relu``. The attributes are the only place that holds
    them. If an item is inserted into the list or removed from it, the items behind it move to the
    next name or to the one before.

    Raises:
        ArgumentError: an item cannot be called.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def _items(self) -> list[AnyLayer]:
        state = vars(self._model)
        return [state[name] for name in layer_names(state)]

    def _replace(self, items: list[AnyLayer]) -> None:
        """Make ``items`` the attributes: the last names are dropped, or new ones follow them."""
        for position, item in enumerate(items):
            require_callable(self._model, f"layer {position}", item)
        state = vars(self._model)
        names = layer_names(state)
        for name in names[len(items) :]:
            del state[name]
        start = number_of(names[-1]) + 1 if names else 0
        names += [f"l{start + more}" for more in range(len(items) - len(names))]
        state.update(zip(names, items, strict=False))

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[AnyLayer]:
        return iter(self._items())

    def __getitem__(self, index: Any) -> Any:
        return self._items()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        items = self._items()
        items[index] = value
        self._replace(items)

    def __delitem__(self, index: Any) -> None:
        items = self._items()
        del items[index]
        self._replace(items)

    def insert(self, index: int, value: AnyLayer) -> None:
        """Put a layer before the one at ``index``."""
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

    ``model.l1 = layer`` and ``model.layers[1] = layer`` do the same. The list can be changed like
    any other. A new attribute such as ``l2`` is called in the order of the numbers, and
    ``del model.l1`` removes a layer without a change of the other names.

    Raises:
        ArgumentError: a layer cannot be called.
    """

    @property
    def layers(self) -> LayerList:
        """The layers in the order in which they are called."""
        return LayerList(self)

    @layers.setter
    def layers(self, layers: Iterable[AnyLayer]) -> None:
        self.layers._replace(list(layers))

    if not TYPE_CHECKING:  # type checkers know the attributes

        def __setattr__(self, name: str, value: Any) -> None:
            if layer_names([name]):
                require_callable(self, name, value)
            super().__setattr__(name, value)


def layer_names(names: Iterable[str]) -> list[str]:
    """Return the names such as ``l12``, in the order of their numbers."""
    names = list(names)  # another thread may set an attribute meanwhile
    return sorted([x for x in names if x[:1] == "l" and x[1:].isdecimal()], key=number_of)


def number_of(name: str) -> int:
    """Return 12 for ``l12``."""
    return int(name[1:])


def require_callable(model: Model, name: str, item: Any) -> None:
    """Raise `ArgumentError` if a layer cannot be called."""
    if not callable(item):
        raise ArgumentError(
            f"{type(model).__name__}: {name} is a {type(item).__name__}; expected a layer or a "
            "function; del removes a layer"
        )
