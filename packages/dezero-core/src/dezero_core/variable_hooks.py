"""Run the hooks of Variables: functions that get a Variable's gradient and may replace it.

The hooks of a leaf are stored in the leaf. The hooks of a computed Variable are stored in the call
that computed the Variable. Each hook runs once per backward pass, when the gradient is complete and
before the gradient is passed on.
"""

from __future__ import annotations

from typing import Any

from .backward_modes import copy_gradient, plain_pass
from .errors import GraphError, wrong_type
from .function import Function, leaf_of
from .hook_handle import Hook, HookHandle, Hooks
from .variable import Variable, as_variable, require_gradient_of, unwrap


def register_hook(self: Variable, hook: Hook) -> HookHandle:
    """Call ``hook(gradient)`` in every backward pass, when this Variable's gradient is complete.

    Several hooks run in the order of registration, each on the result of the previous hook. Hooks
    of a leaf run before the gradient is added to ``grad``; hooks of a computed Variable run before
    the gradient is passed on to the call that computed the Variable. The function `grad` runs hooks
    too.

    Args:
        hook: a function of the gradient, which is a Variable of the same shape as this Variable.
            The hook returns the gradient to use instead, a Variable or an array of the same shape
            and library, or None to use the argument of the hook. The argument of the hook is a
            copy, so the hook may also change the argument in place. With ``create_graph``, the ops
            of the hook are recorded.

    Returns:
        a handle with ``remove()``.

    Raises:
        ArgumentTypeError: ``hook`` is not callable.
        GraphError: this Variable does not require grad.
    """
    if not callable(hook):
        raise wrong_type("register_hook: hook", hook, "a function of the gradient")
    if not self.requires_grad:
        raise GraphError(
            "register_hook: this Variable does not require grad, so no gradient passes; register "
            "the hook before no_grad() or unchain(), or set requires_grad = True"
        )
    call = self.creator
    if call is None:
        self._hooks = self._hooks or {}
        return HookHandle(self._hooks, hook)
    call._hooks, call._is_special = call._hooks or {}, True
    return HookHandle(call._hooks.setdefault(self._index or 0, {}), hook)


def gradients_after_hooks(call: Function, gy: Any, retain_graph: bool) -> Any:
    """Run the hooks of a call's outputs; return the gradient, or a list for multiple outputs.

    Unless ``retain_graph`` is True, drop the hooks, because hooks may refer to outputs and keep
    them in memory.
    """
    for index, hooks in list((call._hooks or {}).items()):
        if not isinstance(gy, list):
            gy = after_hooks(hooks, gy, leaf_of(call._result))
        elif gy[index] is not None:
            gy[index] = after_hooks(hooks, gy[index], leaf_of(call._result[index]))
    if not retain_graph:
        call._hooks = None
    return gy


def after_hooks(hooks: Hooks, gradient: Any, x: Variable) -> Any:
    """Run hooks on the gradient of ``x``; return a Variable if ``create_graph``, else an array.

    Raises:
        ShapeError, BackendMismatch, UnsupportedType: a hook returned something that is not a
            gradient of ``x``.
    """
    on_arrays = plain_pass.get() is not None
    token = plain_pass.set(None)
    try:
        for hook in list(hooks.values()):
            copied = as_variable(copy_gradient(gradient))
            returned = hook(copied)
            gradient = copied if returned is None else copy_gradient(as_variable(returned))
            require_gradient_of(x, gradient)
    finally:
        plain_pass.reset(token)
    return unwrap(gradient) if on_arrays else gradient
