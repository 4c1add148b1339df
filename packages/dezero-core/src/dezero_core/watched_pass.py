"""Run backward passes for ``retain_grad``, `grad` and `detect_anomaly`."""

from __future__ import annotations

from typing import Any

from .anomaly import check_forward, check_input_gradients, detecting
from .backward_modes import ALL, Flags
from .backward_pass import BackwardPass
from .function import Function
from .functions.arithmetic import pos
from .graph import has_creator
from .variable import AnyArray, Variable, as_variable


class WatchedPass(BackwardPass):
    """A backward pass that can retain and check gradients.

    Args:
        retain_graph: as for `BackwardPass`.
        retain_grad: store the gradients of all computed Variables (default False).
        narrowed: flags that replace `Function.needs_grad` in this pass.

    Attributes:
        wanted: for each serial number of a call, the outputs whose gradients must be stored, as
            the keys of a dictionary.
    """

    def __init__(
        self, retain_graph: bool, retain_grad: bool = False, narrowed: Flags = ALL
    ) -> None:
        super().__init__(retain_graph)
        self.is_detecting = detecting()
        self.retain_grad, self.narrowed = retain_grad, narrowed
        self.wanted: dict[int, dict[Variable, None]] = {}

    def run(self, y: Variable, seed: AnyArray) -> None:
        if self.is_detecting:
            check_forward(y)
        super().run(y, seed)

    def visit(self, function: Function, gy: Any) -> tuple[Any, ...]:
        self.store(function, gy)
        flags = self.narrowed.get(function._serial)
        if flags is not None and True not in flags:
            return ()  # no requested gradient depends on this call
        gxs = super().visit(function, gy)
        if self.is_detecting:
            check_input_gradients(function, gxs)
        if self.retain_grad:
            for x in function._call_inputs():
                if has_creator(x):
                    self.retain(x)
        if flags is None:
            return gxs
        return tuple([gx if flag else None for gx, flag in zip(gxs, flags, strict=True)])

    def retain(self, x: Variable) -> None:
        """Store the gradient of a computed Variable as soon as the gradient is complete."""
        self.wanted.setdefault(x._creator._serial, {})[x] = None

    def store(self, function: Function, gy: Any) -> None:
        """Store the gradient of each output of a call for which `retain` was called."""
        gys: list[Any] = gy if isinstance(gy, list) else [gy]
        for y in self.wanted.pop(function._serial, ()):
            if gys[y._index or 0] is not None:
                self.retained[y] = pos(gys[y._index or 0])

    def gradient_of(self, x: Variable) -> Variable | None:
        """Return the gradient of a leaf or retained Variable ``x``, or None if there is none."""
        g = self.grads.get(x, self.retained.get(x))
        return None if g is None else as_variable(self.final_gradient(x, g))
