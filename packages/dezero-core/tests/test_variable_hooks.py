"""`Variable.register_hook`: what a hook sees, what it may return, and when it runs."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import dezero_core.functions as F
from dezero_core import Function, Variable, grad, no_grad
from dezero_core.errors import ArgumentTypeError, DezeroError, GraphError, ShapeError
from dezero_core.extend import backend_of, get_backend, on_grad_ready


def variable(*values: float, backend: str = "numpy") -> Variable:
    return Variable(get_backend(backend).from_numpy(np.array(values)))


def values(x: Any) -> Any:
    return backend_of(x.data).to_numpy(x.data).tolist()


class Both(Function):
    def forward(self, x: Any) -> Any:
        return x * 2, x * 3

    def backward(self, g0: Any, g1: Any) -> Any:
        return g0 * 2 + g1 * 3


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_sees_the_complete_gradient_and_replaces_it(
    create_graph: bool, backend: str
) -> None:
    x = variable(1.0, 2.0, backend=backend)
    h = x * 3
    seen = []

    def hook(g: Variable) -> Variable:
        assert isinstance(g, Variable)
        seen.append(values(g))
        return g * 10

    h.register_hook(hook)
    F.sum(h + h * h).backward(create_graph=create_graph)
    assert seen == [[7.0, 13.0]]  # 1 + 2h, all uses of h together
    assert values(x.grad) == [210.0, 390.0]


def test_the_hooks_of_a_leaf_run_before_its_grad_is_written(backend: str) -> None:
    x = variable(1.0, 2.0, backend=backend)
    x.register_hook(lambda g: g * 2)
    handle = x.register_hook(lambda g: (g + 1).data)  # an array will do, too
    F.sum(x * x).backward()
    assert values(x.grad) == [5.0, 9.0]
    handle.remove()
    handle.remove()
    F.sum(x * x).backward()
    assert values(x.grad) == [9.0, 17.0], "added to the gradient before"


def test_hooks_of_one_of_several_outputs() -> None:
    x = variable(1.0)
    a, b = Both()(x)
    b.register_hook(lambda g: g * 100)
    F.sum(a + b).backward(retain_graph=True)
    assert values(x.grad) == [302.0]
    x.cleargrad()
    F.sum(a * 1).backward()
    assert values(x.grad) == [2.0], "no gradient passes b"


def test_a_hook_may_leave_the_gradient_or_change_it_in_place() -> None:
    x, z = variable(1.0), variable(1.0)
    h = x * 1

    def clip(g: Variable) -> None:
        g.data.clip(-0.5, 0.5, out=g.data)

    h.register_hook(lambda g: None)
    h.register_hook(clip)
    F.sum(h + z).backward(retain_grad=True)
    assert values(x.grad) == [0.5] and values(h.grad) == [0.5]
    assert values(z.grad) == [1.0], "the sibling shares no array with the hook"


def test_a_hook_differentiates_with_the_graph() -> None:
    x = variable(3.0)
    h = x * x
    with h.register_hook(lambda g: g * h):  # x^2 in place of 1: the gradient is 2 x^3
        g = grad(h * 1, x, create_graph=True)
    assert values(g) == [54.0]
    assert values(grad(g, x)) == [54.0], "6 x^2"


def test_grad_and_on_grad_ready_see_what_hooks_return() -> None:
    x = variable(2.0)
    h = x * x
    h.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: g + 1)
    y = h * 3
    assert values(grad(y, h, retain_graph=True)) == [6.0]
    assert values(grad(y, x, retain_graph=True)) == [25.0]
    told = []
    with on_grad_ready(lambda leaf: told.append(values(leaf.grad))):
        y.backward()
    assert told == [[25.0]]


@pytest.mark.parametrize(
    ("returned", "error"),
    [(np.ones(3), ShapeError), (1.0, ShapeError), ([1.0], DezeroError), ("text", DezeroError)],
)
def test_what_is_no_gradient_of_the_variable_changes_nothing(returned: Any, error: Any) -> None:
    x, w = variable(1.0), variable(1.0)
    x.register_hook(lambda g: returned)
    with pytest.raises(error):
        (w * x).backward()
    assert x.grad is None and w.grad is None


def test_an_error_of_a_hook_restores_the_mode() -> None:
    x = variable(1.0)
    handle = x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * 2).backward()
    assert isinstance(F.sin(np.ones(1)), Variable)
    with handle:
        pass
    (x * 2).backward()
    assert values(x.grad) == [2.0]


def test_what_cannot_have_hooks() -> None:
    x = variable(1.0)
    with no_grad():
        y = x * 2
    for z in (y, Variable(np.ones(1), requires_grad=False)):
        with pytest.raises(GraphError, match="does not require grad"):
            z.register_hook(print)
    with pytest.raises(
        ArgumentTypeError, match="hook is of type int; expected a function of the gradient"
    ):
        x.register_hook(1)


def test_a_hook_makes_no_reference_cycle() -> None:
    gc.disable()
    try:
        x = variable(1.0)
        y = x * 2
        y.register_hook(lambda g: g)
        gone = weakref.ref(y), weakref.ref(y.creator)
        y.backward()
        del y
        assert [r() for r in gone] == [None, None]
    finally:
        gc.enable()


def test_hooks_are_gone_with_the_graph_they_refer_to() -> None:
    gc.disable()
    try:
        h = variable(1.0) * 2
        big = np.ones(10)
        gone = weakref.ref(h), weakref.ref(big)
        h.register_hook(lambda g, h=h, big=big: g * big[0] + 0 * h.data)
        h.backward()
        del big, h
        assert [r() for r in gone] == [None, None]
    finally:
        gc.enable()


def test_a_hook_may_register_others() -> None:
    x = variable(1.0)
    a, b = Both()(x)
    ran = []
    a.register_hook(lambda g: b.register_hook(ran.append) and None)
    F.sum(a + b).backward()
    assert values(x.grad) == [5.0]
    x.register_hook(lambda g: x.register_hook(ran.append) and None)
    (x * 1).backward()


def test_a_hook_that_writes_spares_the_sibling_with_a_graph_too() -> None:
    x, z = variable(1.0), variable(1.0)
    h = x * 2

    def tripled(g: Variable) -> None:
        g.data *= 3

    h.register_hook(tripled)
    F.sum(h + z).backward(create_graph=True)
    assert values(x.grad) == [6.0] and values(z.grad) == [1.0]


@pytest.mark.parametrize("hook", [lambda g: g * np.float64(0.5), lambda g: g.data.astype("d") / 2])
def test_the_gradient_of_a_leaf_keeps_its_dtype(hook: Any) -> None:
    x = Variable(np.ones(2, "f"))
    x.register_hook(hook)
    assert grad(F.sum(x * 2), x).dtype == "float32"
    F.sum(x * 2).backward()
    assert x.grad.dtype == "float32" and values(x.grad) == [1.0, 1.0]
