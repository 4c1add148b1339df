"""Find the calls that a Variable depends on, and remove them from its graph."""

from __future__ import annotations

from .function import Function
from .variable import Variable


def has_creator(x: object) -> bool:
    """Return whether ``x`` is a Variable that is the output of a recorded call."""
    return isinstance(x, Variable) and x._creator is not None


def parents(function: Function) -> list[Function]:
    """Return the calls that computed the inputs of a call, even if the call was freed."""
    if function._arrays is None:
        return [parent for parent in function._call_inputs() if isinstance(parent, Function)]
    return [x._creator for x in function._call_inputs() if has_creator(x)]


def ancestors(y: Variable) -> list[Function]:
    """Return the calls that ``y`` depends on, sorted from the latest to the earliest."""
    if y.creator is None:
        return []
    found, todo = {y.creator._serial: y.creator}, [y.creator]
    while todo:
        for function in parents(todo.pop()):
            if function._serial not in found and not function._cut:
                found[function._serial] = function
                todo.append(function)
    return [found[serial] for serial in sorted(found, reverse=True)]


def unchain_backward(self: Variable) -> None:
    """Remove from the graph all calls that this Variable depends on (truncated BPTT, step 59).

    Every Variable that this Variable depends on becomes a leaf that does not require grad. This
    Variable keeps its creator, unless a backward pass has freed the creator. If the creator was
    freed, this Variable also becomes a leaf that does not require grad, so that a loop can repeat
    ``loss += ...``, ``loss.backward()`` and ``loss.unchain_backward()``.
    """
    root = self.creator
    if root is None:
        return
    todo = parents(root)
    if root._arrays is None:
        root._cut_off()
    while todo:
        function = todo.pop()
        if not function._cut:
            todo.extend(parents(function))
            function._cut_off()
