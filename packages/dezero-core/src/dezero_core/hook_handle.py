"""Define the handle that removes a hook; see `variable_hooks` and `grad_ready`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

Hook = Callable[[Any], Any]
"""A hook takes a gradient as a Variable, and returns a new gradient or None."""
Hooks = dict[int, Hook]
H = TypeVar("H")

_keys = count()


class HookHandle:
    """A handle to a registered hook; ``remove()`` removes the hook.

    The handle is also a context manager: ``with x.register_hook(f):`` removes the hook on exit.
    """

    def __init__(self, hooks: dict[int, H], hook: H) -> None:
        self._hooks: dict[int, Any] = hooks
        self._key = next(_keys)
        hooks[self._key] = hook

    def remove(self) -> None:
        """Remove the hook; a second call does nothing."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()
