"""Define ``Variable.backward``, and compute the gradient that a backward pass starts with."""

from __future__ import annotations

from typing import Any

from .anomaly import detecting
from .arguments import require_bool
from .backends.interface import Array
from .backends.precision import is_floating
from .backends.registry import backend_of, on_device_of
from .backward_modes import PassMode
from .backward_pass import BackwardPass
from .diagnosis import require_recorded
from .errors import GraphError
from .functions.casting import astype
from .grad_ready import assign_and_report, grad_ready_callbacks, report_early
from .in_place import updating
from .leaf_gradients import accumulate
from .variable import Variable, as_variable, get_array_module, require_gradient_of
from .watched_pass import WatchedPass


def backward(
    self: Variable,
    retain_grad: bool = False,
    create_graph: bool = False,
    *,
    gradient: Variable | Array | None = None,
    retain_graph: bool | None = None,
) -> None:
    """Add to ``x.grad`` the gradient with respect to ``x``, for every leaf ``x`` of the graph.

    No ``grad`` is written until all gradients are computed, so an error leaves every ``grad``
    unchanged. If this Variable is itself a leaf that requires grad, ``gradient`` is added to its
    own ``grad``.

    Args:
        retain_grad: also write the ``grad`` of this Variable and of all computed Variables that it
            depends on (default False).
        create_graph: record a graph of the gradients, to differentiate them again (book step 32;
            default False). A leaf and its gradient form a reference cycle until ``cleargrad()``.
        gradient: the gradient with respect to this Variable, a Variable or an array of the same
            shape. The default is the ``grad`` that the program assigned to this Variable (book
            step 6), else ones. A ``grad`` that an earlier backward wrote is not used.
        retain_graph: keep the graph for another backward (default: the value of
            ``create_graph``). If ``retain_graph`` is False, each call is freed after its backward
            has run.

    Raises:
        GraphError: this Variable does not require grad, or an earlier backward freed the graph.
        ShapeError: the shapes of ``gradient`` and this Variable differ.
    """
    require_bool("backward", "retain_grad", retain_grad, "; write gradient=gy to start from gy")
    is_leaf = self.creator is None  # a leaf's grad accumulates, so a pass never starts from it
    if gradient is None and not is_leaf and self._grad is getattr(self, "_assigned", None):
        gradient = self._grad
    if retain_graph is None:
        retain_graph = create_graph
    backward_pass = BackwardPass(retain_graph)
    if retain_grad or detecting():
        backward_pass = WatchedPass(retain_graph, retain_grad)
        if retain_grad and not is_leaf:
            backward_pass.retain(self)
    if callbacks := grad_ready_callbacks():
        report_early(backward_pass, self, callbacks)
    with on_device_of(self.data):
        seed = seed_for(self, gradient)
        with PassMode(backward_pass, create_graph):
            backward_pass.run(self, seed if create_graph else seed.data)
            # Do everything that can fail before the first grad is written.
            gradients = backward_pass.pop_gradients(list(backward_pass.grads))
            gradients += backward_pass.retained.items()
            if not is_leaf:
                self._grad = None  # drop the seed; a retained gradient is written below
            if callbacks:
                assign_and_report(gradients, callbacks)
                return
            with updating():
                for x, g in gradients:
                    accumulate(x, g)


def seed_for(y: Variable, gy: Variable | Array | None) -> Variable:
    """Return the gradient that a backward pass from ``y`` starts with: ``gy``, or ones if None.

    The device of ``y`` must be selected before the call; see `on_device_of`.

    Raises:
        GraphError: ``y`` does not require grad, or has no data.
        ShapeError: ``gy`` and ``y`` have different shapes.
        BackendMismatch: ``gy`` and ``y`` are arrays of different libraries, or on different
            devices.
    """
    if not y.requires_grad:
        raise GraphError(
            "backward(): this Variable has no graph: it was not computed, or was computed under "
            "no_grad() or from inputs that do not require grad, or unchain() removed its graph"
        )
    if y.data is None:
        raise GraphError("backward(): this Variable has no data; set x.data first")
    creator = y._creator
    if creator is not None and creator._result is not y.data:
        require_recorded(y, y.data, creator._result)
    if gy is None:
        ones = get_array_module(y).ones_like(y.data, dtype=seed_dtype(y))
        return Variable(ones, requires_grad=False)
    seed = as_variable(gy)
    if not is_floating(seed.dtype, backend_of(seed.data)):
        seed = astype(seed, seed_dtype(y))  # int8 sums could overflow
    require_gradient_of(y, seed)
    return seed


def seed_dtype(y: Variable) -> Any:
    """Return the dtype of the initial gradient: ``y.dtype`` if floating-point, else int64."""
    dtype, backend = y.data.dtype, backend_of(y.data)
    return dtype if is_floating(dtype, backend) else backend.xp.int64
