"""Check that callbacks get each leaf once, when its gradient is final, whatever the graph is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Function, Variable, detect_anomaly, grad, grad_ready
from dezero_core import functions as F
from dezero_core.errors import ArgumentError, ArgumentTypeError, GraphError
from dezero_core.extend import add_grad_ready, on_grad_ready


class Reports(list[tuple[str, float]]):
    """A callback that records the names and gradients of leaves."""

    def __call__(self, leaf: Variable) -> None:
        self.append((leaf.name or "", float(leaf.grad)))  # type: ignore[arg-type]


class Noted(Function):
    """The identity, which records when its backward runs."""

    def __init__(self, reports: Reports) -> None:
        self.reports = reports

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, gy: Any) -> Any:
        self.reports.append(("backward", 0.0))
        return gy


@pytest.fixture
def leaves() -> list[Variable]:
    return [Variable(np.array(v), name) for v, name in ((2.0, "a"), (3.0, "b"), (5.0, "unused"))]


@pytest.fixture
def each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report each leaf by itself, as if each were large."""
    monkeypatch.setattr(grad_ready, "GROUP_SIZE", 1)


def hooked(a: Variable, b: Variable) -> Variable:
    y = a * 1
    a.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: g * 2)
    return y * b


Case = tuple[Callable[..., Any], list[tuple[str, float]]]
CASES: dict[str, Case] = {
    "last uses first": (lambda a, b, reports: Noted(reports)(a * 5) * b + a, [
        ("b", 10.0), ("backward", 0.0), ("a", 16.0),
    ]),
    "used twice by one call": (lambda a, b, reports: a * a + b, [("b", 1.0), ("a", 4.0)]),
    "hooks of a leaf and of a computed Variable": (
        lambda a, b, reports: hooked(a, b), [("b", 2.0), ("a", 60.0)],
    ),
    "a call that no gradient reaches": (
        lambda a, b, reports: F.sum(F.stack([a, b])) + 0 * b.detach(), [("b", 1.0), ("a", 1.0)],
    ),
    "a leaf itself": (lambda a, b, reports: a, [("a", 1.0)]),
    "no leaf asked for": (lambda a, b, reports: Variable(np.array(1.0)) * 2, []),
}  # fmt: skip


@pytest.mark.usefixtures("each")
@pytest.mark.parametrize("options", [{}, {"retain_graph": True}, {"create_graph": True}], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_leaves_are_reported_once(leaves: Any, name: str, options: Any) -> None:
    make, expected = CASES[name]
    reports = Reports()
    handle = add_grad_ready(reports, leaves)
    try:
        y = make(*leaves[:2], reports)
        y.backward(**options)
        assert sorted(reports) == sorted(expected)
        if name == "last uses first":
            assert reports == expected
        if options and y.creator is not None:
            reports.clear()
            for x in leaves:
                x.cleargrad()
            y.backward()
            assert sorted(reports) == sorted(expected), "the graph was retained"
    finally:
        handle.remove()
    reports.clear()
    make(*leaves[:2], Reports()).backward()
    assert reports == [] and leaves[2].grad is None


@pytest.mark.parametrize("watched", [{"retain_grad": True}, {}], ids=str)
def test_small_leaves_are_reported_at_the_end(leaves: Any, watched: Any) -> None:
    a, b, _ = leaves
    first, second, outer, inner = Reports(), Reports(), Reports(), Reports()
    handles = [add_grad_ready(first, [a, b]), add_grad_ready(second, [b])]
    with on_grad_ready(outer), on_grad_ready(inner, [a]), detect_anomaly():
        (Noted(first)(a * 5) * b).backward(**watched)
    for handle in handles:
        handle.remove()
        handle.remove()
    assert first == [("backward", 0.0), ("b", 10.0), ("a", 15.0)]
    assert second == [("b", 10.0)] and inner == [("a", 15.0)]
    assert sorted(outer) == [("a", 15.0), ("b", 10.0)]


def test_no_block_hides_another(leaves: Any) -> None:
    one, other = Reports(), Reports()
    blocks = [on_grad_ready(one), on_grad_ready(other)]
    for block in blocks:
        block.__enter__()
    blocks[0].__exit__(None, None, None)
    (leaves[0] * 1).backward()
    blocks[1].__exit__(None, None, None)
    assert one == [] and other == [("a", 1.0)]


def test_callbacks_run_outside_the_array_mode_and_their_errors_come_through(leaves: Any) -> None:
    def fail(leaf: Variable) -> None:
        assert type(F.sin(np.ones(1))) is Variable
        raise ZeroDivisionError("mine")

    with on_grad_ready(fail), pytest.raises(ZeroDivisionError, match="mine"):
        (leaves[0] * 2).backward()
    assert type(F.sin(np.ones(1))) is Variable


def test_grad_and_freed_graphs_call_no_callback(leaves: Any) -> None:
    reports, a = Reports(), leaves[0]
    y = a * 2
    with on_grad_ready(reports):
        grad(y, a)
        with pytest.raises(GraphError, match="freed"):
            (y * leaves[1]).backward()
    assert reports == []


@pytest.mark.parametrize(
    ("callback", "leaves", "error", "message"),
    [
        (
            None,
            [],
            ArgumentTypeError,
            "callback is of type NoneType; expected a function of a leaf",
        ),
        (
            print,
            Variable(np.ones(1)),
            ArgumentTypeError,
            "leaves is of type Variable; expected a list",
        ),
        (print, [1.0], ArgumentTypeError, "an item of leaves is of type float"),
        (print, [Variable(np.ones(1)) * 2], ArgumentError, "computed Variable; .* register_hook"),
    ],
)
def test_wrong_arguments(callback: Any, leaves: Any, error: Any, message: str) -> None:
    for register in (on_grad_ready, add_grad_ready):
        with pytest.raises(error, match=f"^{register.__name__}: .*{message}"):
            register(callback, leaves)
