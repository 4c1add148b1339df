"""Define ``Variable.backward``, which writes the gradients of a Variable's leaves."""

from __future__ import annotations

from .anomaly import detecting
from .backends.interface import Array
from .backends.registry import on_device_of
from .backward_modes import PassMode
from .backward_pass import BackwardPass
from .errors import ArgumentError
from .grad_ready import grad_ready_callbacks, report_leaves
from .in_place import updating
from .leaf_gradients import accumulate, require_fitting_grad
from .seed_gradient import seed_for
from .variable import Variable
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
        create_graph: record a graph of the gradients, so that they can be differentiated (book
            step 32). A leaf and its gradient then form a reference cycle until ``cleargrad()``.
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
    if not isinstance(retain_grad, bool):
        raise ArgumentError(
            f"backward: retain_grad: got {type(retain_grad).__name__}; expected True or False; to "
            "start from a gradient other than ones, write y.backward(gradient=...)"
        )
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
        report_leaves(backward_pass, self, callbacks)
    with on_device_of(self.data):
        seed = seed_for(self, gradient)
        with PassMode(backward_pass, create_graph):
            backward_pass.run(self, seed if create_graph else seed.data)
            # Do everything that can fail before the first grad is written.
            for x in backward_pass.grads:
                require_fitting_grad(x)
            gradients = backward_pass.final_gradients()
            if not is_leaf:
                self._grad = None  # drop the seed; a retained gradient is written below
            with updating():
                for x, g in gradients:
                    accumulate(x, g)
