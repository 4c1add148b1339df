"""Train one model on several processes, and get the results of one process.

The names of this package are imported at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .__about__ import __version__

if TYPE_CHECKING:
    from .alone import Alone
    from .worlds import World, world

__all__ = ["Alone", "World", "__version__", "world"]

_MODULES = {"Alone": "alone", "World": "worlds", "world": "worlds"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
