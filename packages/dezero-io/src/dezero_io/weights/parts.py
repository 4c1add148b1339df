"""Define the interface of checkpoint parts, and implement it for models and generators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np

from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_core.extend import Stored
from dezero_core.state import arrays_of, named_params, require_fit, stage_arrays

from .random_state import Generators, StatefulGenerator


@runtime_checkable
class Stateful(Protocol):
    """Declare the methods of an object that can be a part of a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state: nested dictionaries and lists of numbers, strings and arrays."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state``; if it does not fit this part, raise an error and change nothing."""


class Staged(Stateful, Protocol):
    """Declare the methods of a part whose state is checked before its large arrays are read.

    The arrays of the state are never copied.
    """

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check ``state``; return a function that restores it, without copying its arrays.

        The part does not change until the returned function is called; that call must not fail.
        Before the arrays of a file are read, this method is called with arrays that have the right
        shape and dtype but occupy no memory.
        """


def is_staged(part: object) -> TypeGuard[Staged]:
    """Return whether the class that defines ``load_state_dict`` defines ``stage_state`` too.

    If a subclass overrides only ``load_state_dict``, return False, so that the overriding method is
    called.
    """
    owner = next(cls for cls in type(part).__mro__ if "load_state_dict" in vars(cls))
    return "stage_state" in vars(owner)


class Weights:
    """Wrap a tree of parameters and buffers, so that it can be a part of a checkpoint.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
    """

    def __init__(self, tree: object) -> None:
        self.named = named_params(tree)

    def state_dict(self) -> dict[str, Any]:
        """Return a dictionary from keys to arrays; arrays are neither copied nor moved."""
        return arrays_of(self.named)

    def require_fit(
        self, state: dict[str, Any], title: str = "the checkpoint does not fit the model"
    ) -> None:
        """Check that ``state`` fits the tree; if not, raise an error that begins with ``title``."""
        require_fit(self.named, Stored(state), title)

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Move the arrays to the devices of the parameters; return a function that assigns them."""
        self.require_fit(state)
        return stage_arrays(self.named, state.__getitem__)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Assign the arrays of ``state`` to the parameters, which stay on their devices."""
        self.stage_state(state)()


def stateful_parts(parts: Mapping[str, object]) -> dict[str, Stateful]:
    """Return every part as a `Stateful`, and add the global random number generators.

    Raises:
        ArgumentError: a part is named ``generators``, which is reserved.
        ArgumentTypeError: a part is a number, a string or None.
    """
    stateful: dict[str, Stateful] = {"generators": Generators()}
    for name, part in parts.items():
        if name in stateful:
            raise ArgumentError(f"the part name {name!r} is reserved; choose another name")
        if part is None or isinstance(part, Number | str):
            raise ArgumentTypeError(
                f"part {name!r} is {part!r}; expected a model, optimizer, schedule, loader or "
                "generator; metadata={'epoch': '3'} stores a note, and Checkpointer.save(3, ...) "
                "the number of a step"
            )
        if isinstance(part, np.random.Generator):
            stateful[name] = StatefulGenerator(part)
        elif isinstance(part, Stateful):
            stateful[name] = part
        else:
            stateful[name] = Weights(part)
    return stateful
