"""Create objects at first use, and only once even if several threads need them.

One lock, `plugins.lock`, guards all these objects, because creating one object often creates
another: for example, the first initialization of weights loads a backend, which a plugin registers.
With two locks, two threads could acquire the locks in different orders and deadlock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .plugins import plugins

P = ParamSpec("P")
T = TypeVar("T")


def once(function: Callable[P, T]) -> Callable[P, T]:
    """Cache the results of a function as `functools.cache` does, but compute each result only once.

    If another thread is already computing the result, wait for it. Pass all arguments by position.
    An exception is not cached. The returned function has a method ``cache_clear``, which drops all
    results.
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
    return cached
