"""Run one backward pass: visit once each call that a Variable depends on, latest call first.

Gradients are arrays, or Variables if ``create_graph`` is True; the same code runs on both.
docs/adr/0001 gives the reasons.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from .backward_modes import ALL
from .diagnosis import is_beside, replaced, require_recorded
from .errors import GraphError
from .function import NO_INPUT, Function, freed
from .functions.arithmetic import pos
from .functions.part_sums import PartSums
from .input_gradients import explain_failure, not_a_gradient, run_special, unbroadcast
from .leaf_gradients import in_dtype_of, is_shared
from .variable import AnyArray, Variable, require_gradient_of, unwrap
from .variable_hooks import after_hooks, gradients_after_hooks


class BackwardPass:
    """Run one backward pass; `WatchedPass` can also retain and check gradients.

    Args:
        retain_graph: keep the arrays of the calls for another backward.

    Attributes:
        grads: a dictionary of the gradients computed so far. The key is a leaf, or the serial
            number of the call that computed the Variable. For a call with multiple outputs, the
            value is a list of gradients.
        heap: unvisited calls that have a gradient, as pairs (-serial number, call).
        shared: a dictionary from leaves to gradients whose arrays may be used elsewhere.
        retained: a dictionary from computed Variables to their complete gradients; see
            `WatchedPass.retain`.
    """

    is_detecting = False  # whether the pass checks for NaN, see `detect_anomaly`
    narrowed = ALL  # flags that replace `Function.needs_grad` in this pass
    root: Function | None = None  # the call that the pass starts from

    def __init__(self, retain_graph: bool) -> None:
        self.retain_graph = retain_graph
        self.grads: dict[Any, Any] = {}
        self.heap: list[tuple[int, Function]] = []
        self.shared: dict[Variable, Any] = {}
        self.retained: dict[Variable, Any] = {}
        self.final: set[int] = set()  # ids of the arrays already returned as gradients
        self.part_sums: PartSums | None = None  # created at first use by `GetItem`

    def run(self, y: Variable, seed: AnyArray) -> None:
        """Compute the gradients of all leaves of ``y`` from ``seed``, the gradient of ``y``."""
        self.root = root = y.creator
        if root is None:
            self.grads[y] = self.shared[y] = seed
        elif y._index is None:
            self.grads[root._serial] = seed
            heappush(self.heap, (-root._serial, root))
        else:
            self.add_output_gradient(root, y._index, seed)
        grads, heap, visit, retain_graph = self.grads, self.heap, self.visit, self.retain_graph
        while heap:
            # Later calls have larger serial numbers. All calls that used an output of the
            # latest remaining call have been visited, so the gradients of its outputs are complete.
            function = heappop(heap)[1]
            arrays = function._arrays
            if arrays is None:
                raise freed(function, root)
            gy = grads.pop(function._serial)
            if function._hooks:
                gy = gradients_after_hooks(function, gy, retain_graph)
            gxs = visit(function, gy)
            x1 = function._x1
            inputs = function._call_inputs() if x1 is NO_INPUT else (function._x0, x1)
            for x, a, gx, needed in zip(inputs, arrays, gxs, function._needs_grad):  # noqa: B905
                if not needed or gx is None:
                    continue
                try:
                    has_shape = gx.shape == a.shape
                except AttributeError:
                    raise not_a_gradient(gx, function) from None
                if not has_shape:
                    gx = unbroadcast(gx, a, function)
                # Pass the gradient to the call that computed x, or store it for the leaf x. Add a
                # second gradient of the same Variable in a new array, never in place.
                creator = x._creator
                if creator is None:
                    if x.data is not a and not is_beside(x.data, a):
                        raise replaced(x, a)
                    if x in grads:
                        grads[x] = grads[x] + gx
                    elif x._requires_grad:  # x may have been unchained since the call
                        grads[x] = gx
                        if gx is gy or function._is_special or is_shared(gx, function):
                            self.shared[x] = gx
                    continue
                if creator._result is not a:  # x is one of multiple outputs, or x.data was replaced
                    require_recorded(x, a, creator._result)
                serial = creator._serial
                if x._index is not None:
                    self.add_output_gradient(creator, x._index, gx)
                elif serial in grads:
                    grads[serial] = grads[serial] + gx
                elif not creator._cut:
                    grads[serial] = gx
                    heappush(heap, (-serial, creator))
            if gxs and not retain_graph:
                function._free()

    def visit(self, function: Function, gy: Any) -> tuple[Any, ...]:
        """Return the gradients of a call's inputs, or () if its backward was skipped."""
        try:
            if function._is_special or type(gy) is list:
                gxs = run_special(function, gy)
            else:
                gxs = function.backward(gy)
        except Exception as error:
            explain_failure(error, function)
            raise
        if not isinstance(gxs, tuple):
            gxs = (gxs,)
        if len(gxs) != len(function._needs_grad):
            raise GraphError(
                f"{type(function).__name__}.backward returned {len(gxs)} gradients "
                f"for {len(function._needs_grad)} inputs; return one for each input, or None"
            )
        return gxs

    def add_output_gradient(self, function: Function, index: int, gy: Any) -> None:
        """Add ``gy`` to the gradient of output ``index`` of a call with multiple outputs."""
        if function._cut:
            return
        if function._arrays is None:
            raise freed(function, self.root)
        if function._serial not in self.grads:
            self.grads[function._serial] = [None] * len(function._result)
            heappush(self.heap, (-function._serial, function))
        gys = self.grads[function._serial]
        gys[index] = gy if gys[index] is None else gys[index] + gy

    def pop_gradients(self, leaves: list[Variable]) -> list[tuple[Variable, Any]]:
        """Remove the gradients of ``leaves`` from `grads`; return pairs of leaf and gradient.

        Raises:
            ShapeError: the ``grad`` and the data of a leaf have different shapes.
        """
        for x in leaves:  # the program may have replaced the data
            if x._grad is not None and x._grad.data.shape != x.data.shape:
                require_gradient_of(x, x._grad)
        return [(x, self.final_gradient(x, self.grads.pop(x))) for x in leaves]

    def final_gradient(self, x: Variable, g: AnyArray) -> Any:
        """Run the hooks of ``x``; return its gradient as an unshared array of the dtype of ``x``.

        Raises:
            GraphError: the data of ``x`` was replaced by an array of a different shape or library.
        """
        array, data = unwrap(g), x.data
        same = type(array) is type(data) and array.shape == data.shape
        if not same and not is_beside(data, array):
            raise replaced(x, array)
        if x._hooks:
            g = after_hooks(x._hooks, g, x)
        elif self.shared.get(x) is g or id(array) in self.final:
            g = pos(g)
        self.final.add(id(unwrap(g)))
        return in_dtype_of(x, g)
