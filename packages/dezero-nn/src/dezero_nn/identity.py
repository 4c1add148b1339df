"""Define a dictionary that compares its keys with ``is``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, TypeVar
from weakref import ref

K = TypeVar("K")
V = TypeVar("V")


class WeakIdentityDict(MutableMapping[K, V]):
    """A dictionary that compares keys with ``is``, and drops an entry when its key is freed.

    Python's WeakKeyDictionary compares keys with ``==``, which fails for arrays and Variables.
    A WeakIdentityDict does not keep its keys alive: copy or pickle it together with an object that
    refers to the keys.

    Args:
        pairs: initial keys and values, as for ``dict``.
    """

    def __init__(self, pairs: Iterable[tuple[K, V]] = ()) -> None:
        self._entries: dict[int, tuple[ref[K], V]] = {}  # the keys are ids
        self.update(pairs)

    def __getitem__(self, key: K) -> V:
        return self._entries[id(key)][1]

    def __setitem__(self, key: K, value: V) -> None:
        number, owner = id(key), ref(self)  # weak, to avoid a reference cycle

        def forget(_: ref[K]) -> None:
            mapping = owner()
            if mapping is not None:
                mapping._entries.pop(number, None)

        self._entries[number] = ref(key, forget), value

    def __delitem__(self, key: K) -> None:
        del self._entries[id(key)]

    def __iter__(self) -> Iterator[K]:
        # iterate over a copy, because another thread may add or drop an entry
        keys = [reference() for reference, _ in list(self._entries.values())]
        return iter([key for key in keys if key is not None])

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> Any:
        return type(self), (list(self.items()),)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.items())})"
