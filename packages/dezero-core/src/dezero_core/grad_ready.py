"""Report leaves to callbacks when their gradients are final, while ``backward`` runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable
from heapq import heappush
from operator import itemgetter
from typing import Any
from weakref import proxy

from .backward_modes import plain_pass
from .backward_pass import BackwardPass
from .config import Block, Setting
from .errors import ArgumentError, ArgumentTypeError
from .function import Function
from .hook_handle import HookHandle
from .in_place import updating
from .leaf_gradients import accumulate, require_fitting_grad
from .variable import Variable

Callback = Callable[[Variable], object]

GROUP_SIZE = 1 << 17
"""The fewest elements of the leaves that are reported together.

A report costs about 10 us between two calls of ops. A step of 20 layers of 64 units (80,000
elements) takes 11 % longer with one report for each layer than without reports, and 2 % longer with
one report at the end.
"""


class GradReady:
    """A callback, and the leaves to report (None for all); messages of errors begin with ``op``."""

    def __init__(
        self, op: str, callback: Callback, leaves: Iterable[Variable] | None = None
    ) -> None:
        if not callable(callback):
            raise ArgumentTypeError(
                f"{op}: expected a function of a leaf, got {type(callback).__name__}"
            )
        if isinstance(leaves, Variable):
            raise ArgumentTypeError(f"{op}: leaves is a Variable; expected a list of them")
        self.callback = callback
        self.leaves = None if leaves is None else frozenset(require_leaf(op, x) for x in leaves)
        self._size = -1

    def is_small(self) -> bool:
        """Return whether all leaves have data, together fewer than `GROUP_SIZE` elements."""
        if self.leaves is None:
            return False
        if self._size < 0 and all(x.data is not None for x in self.leaves):
            self._size = sum(x.size for x in self.leaves)
        return 0 <= self._size < GROUP_SIZE


def require_leaf(op: str, x: Variable) -> Variable:
    """Return ``x`` if it is a leaf, else raise `ArgumentError` or `ArgumentTypeError`."""
    if not isinstance(x, Variable):
        raise ArgumentTypeError(f"{op}: expected Variables as leaves, got {type(x).__name__}")
    if x.creator is not None:
        raise ArgumentError(
            f"{op}: got a computed Variable; expected leaves, such as Parameters; for the gradient "
            "of a computed Variable, use register_hook"
        )
    return x


grad_ready: Setting[GradReady | None] = Setting("grad_ready", None)
_added: dict[int, GradReady] = {}
"""The callbacks of `add_grad_ready`, in the order of the calls."""


def on_grad_ready(callback: Callback, leaves: Iterable[Variable] | None = None) -> Block[Any]:
    """Make ``backward`` call ``callback(leaf)`` once the gradient of a leaf is final.

    Data parallel training uses this function: the gradients of the last layers can be sent while
    the gradients of the first layers are computed. Leaves are reported in groups of at least
    131,072 elements, and the rest of the leaves at the end of the backward pass. The ``grad`` of a
    leaf is assigned before the callback is called, so after an error some leaves have a new
    ``grad`` and others do not. A leaf that gets no gradient is not reported. The function
    `dezero_core.grad` calls no callback. If blocks are nested, the callbacks of all blocks are
    called, that of the outermost block first. Use this function in a ``with`` statement or as a
    decorator; see `dezero_core.config.Block`.

    Args:
        callback: a function of a leaf.
        leaves: the leaves to report (default all).

    Raises:
        ArgumentTypeError: ``callback`` is not callable, ``leaves`` is a Variable, or it contains
            anything but Variables.
        ArgumentError: one of ``leaves`` is a computed Variable.
    """
    return Block(grad_ready, GradReady("on_grad_ready", callback, leaves))


def add_grad_ready(callback: Callback, leaves: Iterable[Variable]) -> HookHandle:
    """Call ``callback(leaf)`` as `on_grad_ready` does, in all threads, until ``remove()``.

    Args:
        callback: a function of a leaf.
        leaves: the leaves to report. They are referenced until the callback is removed.

    Returns:
        a handle; its method ``remove()`` removes the callback.

    Raises:
        ArgumentError, ArgumentTypeError: as for `on_grad_ready`.
    """
    return HookHandle(_added, GradReady("add_grad_ready", callback, leaves))


def grad_ready_callbacks() -> list[GradReady]:
    """Return the callbacks that apply in this context."""
    if not _added and not grad_ready.entries.get():  # as in most programs
        return []
    inside = [entry.value for entry in grad_ready.open_entries()]
    return [each for each in (*inside, *_added.values()) if each is not None]


class OnGradReady(Function):
    """Report a group of leaves, after a backward pass has visited all calls that use the leaves.

    No program calls this function. The pass visits it like a call of an op; its ``backward`` adds
    the final gradients to the ``grad`` of the leaves, and calls the callbacks.

    Args:
        backward_pass: the pass.
        callbacks: the callbacks of the pass.
        leaves: the leaves to report.
        serial: a serial number between those of two calls.
    """

    _arrays = ()

    def __init__(
        self,
        backward_pass: BackwardPass,
        callbacks: list[GradReady],
        leaves: Container[Variable],
        serial: float,
    ) -> None:
        # The heap of the pass refers to this object. A cycle would keep the graph after an error.
        self.backward_pass = proxy(backward_pass)
        self.callbacks, self.leaves = callbacks, leaves
        self._serial: Any = serial
        backward_pass.grads[serial] = None
        entry: Any = (-serial, self)
        heappush(backward_pass.heap, entry)

    def backward(self, gy: None) -> tuple[()]:
        grads = self.backward_pass.grads
        leaves = [x for x in grads if x in self.leaves]
        for x in leaves:
            require_fitting_grad(x)
        gradients = [self.backward_pass.final_gradient(x, grads.pop(x)) for x in leaves]
        mode = plain_pass.set(None)
        try:
            for x, g in zip(leaves, gradients, strict=True):
                with updating():
                    accumulate(x, g)
                for each in self.callbacks:
                    if each.leaves is None or x in each.leaves:
                        each.callback(x)
        finally:
            plain_pass.reset(mode)
        return ()


def report_leaves(backward_pass: BackwardPass, y: Variable, callbacks: list[GradReady]) -> None:
    """Make a backward pass from ``y`` report leaves to callbacks, in groups of `GROUP_SIZE`."""
    sets = [each.leaves for each in callbacks if each.leaves is not None]
    wanted = sets[0].union(*sets[1:]) if len(sets) == len(callbacks) else None
    group: Any = wanted
    if wanted is None or not all(each.is_small() for each in callbacks):
        group = last_uses(y, wanted)
        if sum([math.prod(x.data.shape) for x in group]) >= GROUP_SIZE:
            group = report_early(backward_pass, callbacks, group)
    if group:  # at the end of the pass
        OnGradReady(backward_pass, callbacks, group, 0)


def report_early(
    backward_pass: BackwardPass, callbacks: list[GradReady], last_uses: dict[Variable, int]
) -> set[Variable]:
    """Report groups of `GROUP_SIZE` before the end of a pass; return the leaves in no group."""
    group: set[Variable] = set()
    size = last = 0
    for x, serial in sorted(last_uses.items(), key=itemgetter(1), reverse=True):
        if size >= GROUP_SIZE and serial != last:
            OnGradReady(backward_pass, callbacks, group, last - 0.5)
            group, size = set(), 0
        group.add(x)
        size += math.prod(x.data.shape)
        last = serial
    return group


def last_uses(y: Variable, wanted: Container[Variable] | None) -> dict[Variable, int]:
    """Find the call after which the gradient of each leaf is final in a pass from ``y``.

    Args:
        y: the Variable that the pass starts from.
        wanted: the leaves to look for; None for all.

    Returns:
        a dictionary from leaves to the serial numbers of the calls; 1 if ``y`` is itself a leaf.
    """
    root = y.creator
    if root is None:
        return {y: 1} if wanted is None or y in wanted else {}
    serials: dict[Variable, int] = {}
    found, todo = {root}, [root]
    while todo:
        function = todo.pop()
        if function._arrays is None:  # freed, so the pass goes no further
            continue
        serial = function._serial
        for x, needed in zip(function._call_inputs(), function._needs_grad):  # noqa: B905 (hot)
            if not needed:
                continue
            creator = x._creator
            if creator is None:
                if (wanted is None or x in wanted) and serials.get(x, serial) >= serial:
                    serials[x] = serial
            elif creator not in found:
                found.add(creator)
                todo.append(creator)
    return serials
