"""The parts of a checkpoint: what they must offer, and how models and generators offer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np

from dezero_core.errors import ArgumentError
from dezero_core.extend import Stored
from dezero_core.state import arrays_of, named_params, require_fit, stage_arrays

from .random_state import Generators, StatefulGenerator


@runtime_checkable
class Stateful(Protocol):
    """An object that can be a part of a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return dictionaries and lists of numbers, strings and arrays."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; raise an error and change nothing if that is impossible."""


class Staged(Stateful, Protocol):
    """A part with large arrays: its state is checked before they are read, and never copied."""

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check ``state``; return a function that restores it and takes over its arrays.

        The part does not change until that function is called, which must not fail. In the check
        before a file is read, arrays have the right shape and dtype but no memory.
        """


def is_staged(part: object) -> TypeGuard[Staged]:
    """Return whether the class that defines ``load_state_dict`` defines ``stage_state`` too.

    If a subclass overrides only ``load_state_dict``, that method loads its state.
    """
    owner = next(cls for cls in type(part).__mro__ if "load_state_dict" in vars(cls))
    return "stage_state" in vars(owner)


class Weights:
    """A tree of parameters and buffers as a part of a checkpoint.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
    """

    def __init__(self, tree: object) -> None:
        self.named = named_params(tree)

    def state_dict(self) -> dict[str, Any]:
        """Return the arrays by key, without copying or moving them."""
        return arrays_of(self.named)

    def require_fit(
        self, state: dict[str, Any], title: str = "the checkpoint does not fit the model"
    ) -> None:
        """Raise the error of `load_weights` for ``state``; its message begins with ``title``."""
        require_fit(self.named, Stored(state), title)

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Move the arrays to the devices of the parameters; return a function that assigns them."""
        self.require_fit(state)
        return stage_arrays(self.named, state.__getitem__)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Assign the arrays to the parameters, on the devices where they are."""
        self.stage_state(state)()


def stateful_parts(parts: Mapping[str, object]) -> dict[str, Stateful]:
    """Return every part as a `Stateful`, and add the global random number generators.

    Raises:
        ArgumentError: a part has the name of the generators.
    """
    stateful: dict[str, Stateful] = {"generators": Generators()}
    for name, part in parts.items():
        if name in stateful:
            raise ArgumentError(f"a part cannot be called {name!r}")
        if isinstance(part, np.random.Generator):
            stateful[name] = StatefulGenerator(part)
        elif isinstance(part, Stateful):
            stateful[name] = part
        else:
            stateful[name] = Weights(part)
    return stateful
