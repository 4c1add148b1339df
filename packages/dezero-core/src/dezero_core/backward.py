"""``Variable.backward``: write the gradients of the leaves that a Variable depends on."""

from __future__ import annotations

from .anomaly import detecting
from .backends.interface import Array
from .backends.registry import on_device_of
from .backward_modes import PassMode
from .backward_pass import BackwardPass
from .errors import ArgumentError
from .leaf_gradients import accumulate, require_fitting_grad
from .seed_gradient import seed_for
from .variable import Variable
from .watched_pass import WatchedPass, grad_ready


def backward(
    self: Variable,
    retain_grad: bool = False,
    create_graph: bool = False,
    *,
    gradient: Variable | Array | None = None,
    retain_graph: bool | None = None,
) -> None:
    """Add to ``x.grad`` the gradient of this Variable, for every leaf ``x`` it depends on.

    Leaves are written when all gradients are computed: an error leaves every ``grad`` as it was.
    Called on a leaf that requires grad, it adds ``gradient`` to the leaf's own ``grad``.

    Args:
        retain_grad: also write the gradients of this Variable and of the computed Variables that
            it depends on.
        create_graph: record how the gradients are computed, so that they can be
            differentiated in turn (book step 32). A leaf and its gradient then refer to each
            other until ``cleargrad()``.
        gradient: the gradient of this Variable itself, a Variable or an array of its shape. By
            default it is what the program has assigned to ``self.grad`` (book step 6), else ones;
            a ``grad`` that an earlier backward wrote is not used.
        retain_graph: keep the graph for another backward; by default calls are freed when they
            have been visited, unless ``create_graph``.

    Raises:
        GraphError: this Variable does not require grad, or an earlier backward freed the graph.
        ShapeError: ``gradient`` has another shape.
    """
    if not isinstance(retain_grad, bool):
        raise ArgumentError(
            f"backward: retain_grad is True or False, got {type(retain_grad).__name__}; to start "
            "from another gradient than ones, write y.backward(gradient=...)"
        )
    is_leaf = self.creator is None  # its own grad is added to, and is not a seed
    if gradient is None and not is_leaf:
        gradient = assigned_grad(self)
    if retain_graph is None:
        retain_graph = create_graph
    callback = grad_ready.get()
    backward_pass = BackwardPass(retain_graph)
    if retain_grad or callback is not None or detecting():
        backward_pass = WatchedPass(retain_graph, retain_grad, callback)
        if retain_grad and not is_leaf:
            backward_pass.retain(self)
    with on_device_of(self.data):
        seed = seed_for(self, gradient)
        run_backward(backward_pass, self, seed, create_graph)


def assigned_grad(y: Variable) -> Variable | None:
    """Return ``y.grad`` if the program has assigned it, and no backward has written it since."""
    if y._grad is None or y._grad is not getattr(y, "_assigned", None):
        return None
    return y._grad


def run_backward(
    backward_pass: BackwardPass, y: Variable, seed: Variable, create_graph: bool
) -> None:
    """Run a pass from ``y``, and add the gradients to the leaves."""
    with PassMode(backward_pass, create_graph):
        backward_pass.run(y, seed if create_graph else seed.data)
        # All that can fail is done before the first grad is written.
        for x in backward_pass.grads:
            require_fitting_grad(x)
        gradients = backward_pass.final_gradients()
        if y.creator is not None:
            y._grad = None  # it is retained, or gone
        for x, g in gradients:
            accumulate(x, g)
