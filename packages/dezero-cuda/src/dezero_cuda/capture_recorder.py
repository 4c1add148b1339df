"""Record which numbers of a step change, and which values must stay unchanged for a replay."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import cupy
import numpy as np

from dezero_core import Variable
from dezero_core.errors import CaptureError

from .capture_errors import Refusal

SLOTS = 4096
"""The maximum count of changing numbers in one step; each number takes 8 bytes."""


class WarmUp:
    """A recorder for eager calls, which records nothing.

    Code that finds a recorder writes arrays in place. So the arrays that the graphs of a step use
    stay the same while the step runs eagerly for arguments of other shapes.
    """

    records = False

    def numbers(self, source: Callable[[], tuple[float, ...]], dtype: Any) -> tuple[Any, ...]:
        return source()

    def guard(self, source: Callable[[], object]) -> None: ...
    def on_failure(self, restore: Callable[[], None]) -> None: ...
    def changes(self, owner: object, name: str, value: object) -> None: ...
    def refuse(self, what: str, remedy: str) -> None: ...


class Source(NamedTuple):
    """Describe a function that computes changing numbers, and the host arrays that store them."""

    function: Callable[[], tuple[float, ...]]
    hosts: list[np.ndarray]


class Recorder:
    """Record a step; see `dezero_core.step_recorder`.

    The numbers are 0-d views of one buffer on the device, which `refill` fills before each launch.
    """

    records = True

    def __init__(self) -> None:
        self._outside = contextvars.copy_context()
        self._host = np.zeros(SLOTS, np.uint64)
        self._device = cupy.zeros(SLOTS, np.uint64)
        self._sources: list[Source] = []
        self._guards: dict[object, tuple[Callable[[], object], object]] = {}
        self._restore: list[Callable[[], None]] = []
        self._changed: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self._dropped: set[tuple[int, str]] = set()
        self._expected: list[tuple[Any, str, Any]] = []
        self._used = 0

    def numbers(self, source: Callable[[], tuple[float, ...]], dtype: Any) -> tuple[Any, ...]:
        """Return a slot of the buffer for each number of ``source()``."""
        values = self._outside.copy().run(source)
        first, self._used = self._used, self._used + len(values)
        if self._used > SLOTS:
            raise CaptureError(
                f"capture: the step has more than {SLOTS} numbers that change from step to step; "
                "capture smaller steps"
            )
        slots = range(first, self._used)
        hosts = [self._host[k : k + 1].view(dtype)[:1] for k in slots]
        for host, value in zip(hosts, values, strict=True):
            host[0] = value
        self._sources.append(Source(source, hosts))
        return tuple([self._device[k : k + 1].view(dtype)[0] for k in slots])

    def guard(self, source: Callable[[], object]) -> None:
        """Let `is_valid` return False when ``source()`` returns another value than now.

        Partials of the same function and arguments count as one source.
        """
        key: object = source
        if isinstance(source, partial):
            settings = [(name, id(value)) for name, value in sorted(source.keywords.items())]
            key = (source.func, *map(id, source.args), *settings)
        if key not in self._guards:
            self._guards[key] = source, source()

    def on_failure(self, restore: Callable[[], None]) -> None:
        """Call ``restore()`` in `undo`."""
        self._restore.append(restore)

    def changes(self, owner: Any, name: str, value: object) -> None:
        """Store the value of an attribute before the step, and whether the step first clears it."""
        if (id(owner), name) not in self._changed:
            old = vars(owner).get(name)
            self._changed[id(owner), name] = owner, name, old
            if value is None:
                self._dropped.add((id(owner), name))
            self._restore.append(lambda: vars(owner).__setitem__(name, old))

    def refuse(self, what: str, remedy: str) -> None:
        raise Refusal(what, remedy)

    def keep_attributes(self) -> list[tuple[Any, str, Any]]:
        """Copy each new array of an attribute into the array that the attribute had before.

        The recorded kernels may read the earlier array, so each replay must update it.

        Returns:
            tuples (owner, name, value): the attributes that each replay sets.
        """
        for owner, name, old in self._changed.values():
            new = vars(owner).get(name)
            if isinstance(new, int | float) and new != old:
                self.refuse(
                    f"{type(owner).__name__}.{name}, a number that the step changes,",
                    "change it outside of the step",
                )
            if has_same_layout(old, new) and old.data is not new.data:
                old.data[...] = new.data
                new.data = old.data
            if (id(owner), name) not in self._dropped:
                self._expected.append((owner, name, None if old is None else new))
        return [(owner, name, vars(owner).get(name)) for owner, name, _ in self._changed.values()]

    def undo(self) -> None:
        """Restore what the step has changed on the host, after a failed recording."""
        for restore in reversed(self._restore):
            restore()

    def is_valid(self) -> bool:
        """Return whether guards and attributes have the values that the recording began with."""
        return all(vars(owner).get(name) is value for owner, name, value in self._expected) and all(
            source() == value for source, value in self._guards.values()
        )

    def advance(self) -> None:
        """Compute the changing numbers of the next step on the host."""
        for function, hosts in self._sources:
            for host, value in zip(hosts, function(), strict=True):
                host[0] = value

    def refill(self) -> None:
        """Copy the changing numbers to the device, on the current stream.

        The driver copies pageable memory of this size to a buffer of its own before it returns, so
        the next step may change the numbers at once.
        """
        if self._used:
            self._device[: self._used].set(self._host[: self._used])


def has_same_layout(old: Any, new: Any) -> bool:
    """Return whether both values are Variables on a GPU with the same shape and dtype."""
    return (
        isinstance(old, Variable)
        and isinstance(new, Variable)
        and isinstance(old.data, cupy.ndarray)
        and isinstance(new.data, cupy.ndarray)
        and (old.shape, old.dtype) == (new.shape, new.dtype)
    )
