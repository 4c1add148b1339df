"""Store the parameters, gradients and generators of a program before a step is captured."""

from __future__ import annotations

import gc
import weakref
from typing import Any, NoReturn

import cupy
import numpy as np

from dezero_core import Variable
from dezero_core.state import set_grad, streams

from .capture_arguments import STORED
from .capture_errors import Refusal


class OldGradient(Variable):
    """Represent a gradient that was computed before the step; reading its data raises an error.

    If a recorded step adds to such a gradient, each replay would add to the same array.
    """

    __slots__ = ()

    @property
    def data(self) -> NoReturn:
        raise Refusal(
            "a gradient from before the step", "call cleargrads() in the step, before backward()"
        )

    @data.setter
    def data(self, value: Any) -> None: ...


def params_on_gpus() -> list[Variable]:
    """Return all Parameters and Buffers of the process whose arrays are on a GPU."""
    found = [x for x in gc.get_objects() if issubclass(type(x), STORED)]
    return [p for p in found if isinstance(p.data, cupy.ndarray)]


class HostState:
    """Store the parameters on a GPU, their gradients, and the state of the generators.

    The garbage collector finds all Parameters and Buffers of the process, because a step may use
    the parameters of any object.
    """

    def __init__(self) -> None:
        self.params = params_on_gpus()
        self._before = [(p, p.data, p.grad) for p in self.params]
        generators = streams().seeded, streams().of_rank
        own = [each.bit_generator for each in generators if each is not None]
        self._drawn = [(bits, bits.state) for bits in own]
        # DeZero draws from NumPy's global generator until the first seed()
        self._legacy = np.random.get_state()  # noqa: NPY002

    def hide_gradients(self) -> None:
        """Replace the gradients, so that a step that reads one of them raises an error."""
        for p in self.params:
            if p.grad is not None:
                set_grad(p, OldGradient(None))

    def restore(self) -> None:
        """Restore the parameters, gradients and generators to their values before the step."""
        for p, data, grad in self._before:
            p.data = data
            set_grad(p, grad)
        for bits, state in self._drawn:
            bits.state = state
        np.random.set_state(self._legacy)  # noqa: NPY002

    def show_gradients(self) -> list[tuple[Variable, Variable | None]]:
        """Return (parameter, gradient) for each gradient that the step set; restore the others."""
        changed = []
        for p, _, grad in self._before:
            if isinstance(p.grad, OldGradient):
                set_grad(p, grad)
            elif p.grad is not grad:
                changed.append((p, p.grad))
        return changed

    def addresses(self) -> list[tuple[weakref.ref[Variable], int]]:
        """Return the parameters with the addresses of their arrays."""
        return [(weakref.ref(p), p.data.data.ptr) for p in self.params]


def is_array_at(p: Variable | None, address: int) -> bool:
    """Return whether the array of a parameter is still at an address, or the parameter is freed."""
    return p is None or (type(p.data) is cupy.ndarray and p.data.data.ptr == address)
