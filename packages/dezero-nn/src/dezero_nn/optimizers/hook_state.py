"""Let a captured training step update the arrays that a hook of an optimizer stores."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from dezero_core import Parameter
from dezero_core.extend import unwrap
from dezero_core.state import StepRecorder, recorder

from .recording import SameObjects

if TYPE_CHECKING:
    from .optimizer import Hook

Path = tuple[Any, ...]
"""The name of an attribute, or the name and a key or an index into the dictionary or list in it."""


def call_hook(hook: Hook, params: list[Parameter]) -> None:
    """Call a hook; while a step is recorded, also copy its new arrays into its old arrays.

    Replays of the step read and write the old arrays. The arrays are attributes of the hook, or of
    the object whose method the hook is, or items of dictionaries and lists that are attributes.
    A hook with the attribute ``keeps_arrays = True`` copies its arrays by itself, and may change
    its other attributes.

    Raises:
        CaptureError: the hook changes a number, or creates an array that it did not have before.
    """
    recording, owner = recorder.get(), getattr(hook, "__self__", hook)
    keeps_arrays = getattr(owner, "keeps_arrays", False) or not hasattr(owner, "__dict__")
    if recording is None or keeps_arrays:
        hook(params)
        return
    state = HookState(owner, {type(param.data) for param in params})
    recording.on_failure(state.restore)
    hook(params)
    state.keep(recording)
    recording.guard(state.arrays)


class HookState:
    """Store the attributes of a hook before a call.

    Args:
        owner: the hook, or the object whose method the hook is.
        library: the types of the arrays that replays read and write.
    """

    def __init__(self, owner: Any, library: set[type]) -> None:
        self.owner, self.library, self.before = owner, library, contents(owner)
        self.attributes = dict(vars(owner))
        self.copies: list[tuple[Any, Any]] = [
            (x, copy.copy(x)) for x in vars(owner).values() if type(x) is dict or type(x) is list
        ]

    def keep(self, recording: StepRecorder) -> None:
        """Copy each array that the call has computed into the array that was there before."""
        name = type(self.owner).__name__
        for path, x in contents(self.owner).items():
            old, place = self.before.get(path), place_of(path)
            if isinstance(x, int | float) and x is not old and x != old:
                recording.refuse(
                    f"the hook {name}, which changes its number {place!r},",
                    "change the number outside of the step",
                )
            array, into = unwrap(x), unwrap(old)
            if type(array) not in self.library or array is into:
                continue
            if is_like(into, array):
                into[...] = array
                set_value(self.owner, path, old)
            else:
                recording.refuse(
                    f"the hook {name}, which stores a new array as {place!r},",
                    "let the hook store arrays of one shape and dtype from its first call on",
                )

    def restore(self) -> None:
        """Restore the attributes of the hook, and the items of its dictionaries and lists."""
        vars(self.owner).clear()
        vars(self.owner).update(self.attributes)
        for x, items in self.copies:
            x.clear()
            x.update(items) if type(x) is dict else x.extend(items)

    def arrays(self) -> SameObjects:
        """Return the arrays that the hook stores now."""
        values = map(unwrap, contents(self.owner).values())
        return SameObjects([x for x in values if type(x) in self.library])


def contents(owner: Any) -> dict[Path, Any]:
    """Return the attributes of an object, and the items of the dictionaries and lists in them."""
    found: dict[Path, Any] = {}
    for name, x in vars(owner).items():
        found[(name,)] = x
        items = x.items() if type(x) is dict else enumerate(x) if type(x) is list else ()
        found.update({(name, key): value for key, value in items})
    return found


def place_of(path: Path) -> str:
    """Return a path as a text for messages; show only the types of keys such as Parameters."""
    return "/".join(str(k) if isinstance(k, str | int) else type(k).__name__ for k in path)


def set_value(owner: Any, path: Path, value: Any) -> None:
    """Set an attribute, or an item of the dictionary or list in it."""
    name, *keys = path
    container, key = (vars(owner)[name], keys[0]) if keys else (vars(owner), name)
    container[key] = value


def is_like(a: Any, b: Any) -> bool:
    """Return whether two arrays have the same type, shape and dtype."""
    return type(a) is type(b) and (a.shape, a.dtype) == (b.shape, b.dtype)
