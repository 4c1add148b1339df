"""Run backward passes for ``retain_grad``, `grad`, `detect_anomaly` and `on_grad_ready`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from .anomaly import check_forward, check_input_gradients, detecting
from .backward_modes import ALL, Flags, plain_pass
from .backward_pass import BackwardPass
from .config import Block, Setting
from .function import Function
from .functions.arithmetic import pos
from .graph import ancestors, has_creator, leaves
from .in_place import updating
from .leaf_gradients import accumulate, require_fitting_grad
from .variable import AnyArray, Variable

grad_ready: Setting[Callable[[Variable], None] | None] = Setting("grad_ready", None)


def on_grad_ready(callback: Callable[[Variable], None]) -> Block[Any]:
    """Make ``backward`` call ``callback(leaf)`` as soon as a leaf's gradient is final.

    Data parallel training uses this function: the gradients of the last layers can be sent while
    the gradients of the first layers are computed. Each leaf's ``grad`` is assigned as soon as the
    gradient is final, so after an error some leaves have a new ``grad`` and others do not. Use the
    function in a ``with`` statement or as a decorator; see `dezero_core.config.Block`.
    """
    return Block(grad_ready, callback)


class WatchedPass(BackwardPass):
    """A backward pass that can retain, check and report gradients.

    Args:
        retain_graph: keep the saved arrays of the calls for another backward pass.
        retain_grad: store the gradients of all computed Variables.
        callback: called with each leaf as soon as its gradient is final, see `on_grad_ready`.
        narrowed: a dictionary from the serial number of a call to flags that replace the
            ``needs_grad`` of the call; see `grad`.

    Attributes:
        wanted: a dictionary from the serial number of a call to the outputs of the call whose
            gradients must be stored.
        retained: pairs of a computed Variable and its complete gradient.
        uses: for each leaf, the number of uses in calls that are not visited yet.
        used: the leaves among the inputs of the call that was visited last.
    """

    def __init__(
        self,
        retain_graph: bool,
        retain_grad: bool = False,
        callback: Callable[[Variable], None] | None = None,
        narrowed: Flags = ALL,
    ) -> None:
        super().__init__(retain_graph)
        self.is_detecting = detecting()
        self.retain_grad, self.callback, self.narrowed = retain_grad, callback, narrowed
        self.wanted: dict[int | None, list[Variable]] = {}
        self.retained: list[tuple[Variable, Any]] = []
        self.uses: Counter[Variable] = Counter()
        self.used: list[Variable] = []

    def run(self, y: Variable, seed: AnyArray) -> None:
        if self.is_detecting:
            check_forward(y)
        if self.callback is not None:
            self.uses = Counter(x for function in ancestors(y) for x in leaves(function))
        if y.creator is None:
            self.uses, self.used = Counter([y]), [y]
        super().run(y, seed)
        self.report_complete_leaves()

    def visit(self, function: Function, gy: Any) -> tuple[Any, ...]:
        self.report_complete_leaves()
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
        if self.callback is not None:
            self.used = list(leaves(function))
        if flags is None:
            return gxs
        return tuple([gx if flag else None for gx, flag in zip(gxs, flags, strict=True)])

    def retain(self, x: Variable) -> None:
        """Store the gradient of a computed Variable as soon as the gradient is complete."""
        wanted = self.wanted.setdefault(x._creator._serial, [])
        if not any(x is other for other in wanted):
            wanted.append(x)

    def store(self, function: Function, gy: Any) -> None:
        """Store the gradient of each output of a call for which `retain` was called."""
        gys: list[Any] = gy if isinstance(gy, list) else [gy]
        for y in self.wanted.pop(function._serial, ()):
            if gys[y._index or 0] is not None:
                self.retained.append((y, pos(gys[y._index or 0])))

    def report_complete_leaves(self) -> None:
        """Report each leaf whose gradient became final in the call that was visited last."""
        for x in self.used:
            self.uses[x] -= 1
            if self.uses[x] == 0:
                self.report(x)
        self.used = []

    def report(self, x: Variable) -> None:
        """Add the final gradient of a leaf to its ``grad``, and call the callback."""
        if x not in self.grads or self.callback is None:
            return
        require_fitting_grad(x)
        g = self.final_gradient(x, self.grads.pop(x))
        with updating():
            accumulate(x, g)
        mode = plain_pass.set(None)
        try:
            self.callback(x)
        finally:
            plain_pass.reset(mode)

    def final_gradients(self) -> list[tuple[Variable, Any]]:
        return super().final_gradients() + self.retained

    def gradient_of(self, x: Variable) -> Variable | None:
        """Return the gradient of a leaf or retained Variable ``x``, or None if there is none."""
        if x in self.grads:
            g = self.final_gradient(x, self.grads[x])
        else:
            g = next((self.final_gradient(x, g) for y, g in self.retained if y is x), None)
        return g if g is None or isinstance(g, Variable) else Variable(g, requires_grad=False)
