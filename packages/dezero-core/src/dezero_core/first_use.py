"""Create objects at first use, and only once even if several threads need them.

One lock, `plugins.lock`, guards all these objects, because creating one object often creates
another: for example, the first initialization of weights loads a backend, which a plugin registers.
With two locks, two threads could acquire the locks in different orders and deadlock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from .plugins import plugins

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Once(Protocol[P, T_co]):
    """The type of the functions that `once` returns."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...

    def cache_clear(self) -> None:
        """Drop all cached results."""


def once(function: Callable[P, T]) -> Once[P, T]:
    """Cache the results of a function as `functools.cache` does, but compute each result only once.

    If another thread is already computing the result, wait for it. Pass all arguments by position.
    An exception is not cached.
    """
    results: dict[Any, T] = {}

    @wraps(function)
    def cached(*args: P.args, **kwargs: P.kwargs) -> T:
        if args not in results:
            with plugins.lock:
                if args not in results:
                    results[args] = function(*args, **kwargs)
        return results[args]

    cached.cache_clear = results.clear  # type: ignore[attr-defined]
    return cached  # type: ignore[return-value]


def create_once(parameters: Iterable[Any], create: Callable[[], object]) -> None:
    """Call ``create()`` unless all parameters have data; only one thread calls ``create``.

    Args:
        parameters: Parameters and Buffers that may have no data yet.
        create: sets the data of all parameters.
    """
    with plugins.lock:
        if any(x.data is None for x in parameters):
            create()
