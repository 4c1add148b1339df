"""Test loops over the steps of a sequence: the cost is linear, the gradients are correct."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.errors import ArgumentTypeError, GraphError, ShapeError, UnsupportedType
from dezero_core.extend import get_backend
from dezero_core.functions import indexing

T = 6
HOST = np.random.default_rng(0).standard_normal((T, 3)).astype("f")


def steps(xs: Any) -> Any:
    """Return a loss in which each step depends on the one before."""
    h = 0
    for x in xs:
        h = F.tanh(x + 0.5 * h)
    return F.sum(h)


LOOPS: dict[str, Callable[[Variable], Variable]] = {
    "x[t]": lambda x: steps(x[t] for t in range(T)),
    "x[t] backwards": lambda x: steps(x[-1 - t] for t in range(T)),
    "x[t, :]": lambda x: steps(x[t, 0:2] for t in range(T)),
    "x[t:t + 2]": lambda x: steps(x[t : t + 2] for t in range(T - 1)),
    "x[:, t]": lambda x: steps(x[:, t] for t in range(3)),
    "rows": steps,
    "rows backwards": lambda x: steps(reversed(x)),
    "unpacked": lambda x: steps([*x]),
    "pairs": lambda x: F.sum(F.stack([a * b for a, b in pairwise(x)])),
    "elements": lambda x: steps(x[i, j] for i in range(T) for j in range(3)),
    "of a result": lambda x: LOOPS["x[t]"](F.sin(x)),
    "used whole too": lambda x: F.sum(x * x) + LOOPS["x[t]"](x) + F.sum(x),
    "a result used whole too": lambda x: LOOPS["used whole too"](F.sin(x)),
    "in each step": lambda x: sum([F.sum(x[t] * x) for t in range(T)]),
    "of one of several outputs": lambda x: LOOPS["x[t]"](F.unstack(F.stack([x, -x]))[1]),
    "of a sum": lambda x: F.sum((x + x)[0]) + LOOPS["used whole too"](x + F.exp(x)),
    "of other dtypes": lambda x: F.sum(F.astype(x, "float64")[0]) + LOOPS["x[t]"](x),
    "unstack": lambda x: steps(F.unstack(x)),
    "unstack, last axis": lambda x: steps(F.unstack(x, -1)),
    "one of unstack": lambda x: F.sum(F.unstack(x)[2] * F.unstack(x)[2]),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_both_modes_give_the_same_bits_and_the_right_gradient(
    loop: Callable[[Variable], Variable], backend: str
) -> None:
    library = get_backend(backend)
    found = []
    for create_graph in (False, True):
        x = Variable(library.from_numpy(HOST))
        loop(x).backward(create_graph=create_graph)
        found.append(library.to_numpy(x.grad.data))
    assert found[0].dtype == np.float32 and found[0].tobytes() == found[1].tobytes()
    x, direction = HOST.astype("float64"), np.cos(np.arange(HOST.size)).reshape(HOST.shape)
    above, below = (loop(Variable(x + e * direction)).data for e in (1e-6, -1e-6))
    np.testing.assert_allclose(np.sum(found[0] * direction), (above - below) / 2e-6, rtol=1e-3)


@pytest.mark.parametrize("name", [n for n in LOOPS if n not in ("in each step", "of other dtypes")])
def test_the_number_of_full_arrays_does_not_grow_with_the_steps(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full: list[Any] = []
    forward = indexing.PutItem.forward

    def counted(self: Any, x: Any) -> Any:
        full.append(self.shape)
        return forward(self, x)

    monkeypatch.setattr(indexing.PutItem, "forward", counted)
    LOOPS[name](Variable(HOST)).backward()
    assert len(full) <= 2


def test_gradients_with_other_references_are_not_written_to() -> None:
    x = Variable(HOST)
    a = F.sin(x)
    b = a + 0.0
    y = F.sum(a[0]) + F.sum(b)  # the gradients of a and b are one array
    y.backward(retain_grad=True)
    assert np.array_equal(b.grad.data, np.ones_like(HOST))
    assert np.array_equal(a.grad.data, 1 + (np.arange(T) == 0)[:, None] + np.zeros_like(HOST))
    seed = Variable(np.ones_like(HOST))
    z = x * 1.0
    y = z[0] * 2 + z
    y.grad = seed
    y.backward()
    assert np.array_equal(seed.data, np.ones_like(HOST))


def test_a_hook_sees_the_complete_gradient() -> None:
    x = Variable(HOST)
    y, seen = F.sin(x), []
    for hooked in (x, y):
        hooked.register_hook(lambda g: seen.append(g.data.copy()) or g * 2)
    F.sum(F.stack([y[t] for t in range(T)])).backward()
    assert np.array_equal(seen[0], np.ones_like(HOST)) and len(seen) == 2
    np.testing.assert_allclose(x.grad.data, 4 * np.cos(HOST), rtol=1e-6)


def test_each_row_may_have_its_own_backward() -> None:
    x = Variable(HOST)
    a, b, *_ = x
    F.sum(a * a).backward()
    F.sum(b).backward()
    for row in x:
        loss = F.sum(row)
        loss.backward()
        loss.unchain_backward()
    assert np.array_equal(x.grad.data[1:3], [[2.0] * 3, [1.0] * 3])


def test_unstack_and_stack_are_inverse(backend: str) -> None:
    library = get_backend(backend)
    for shape, axis in (((2, 3), 0), ((2, 3), -1), ((1, 2), 0), ((2, 0), 0), ((3,), 0)):
        host = np.arange(float(np.prod(shape)), dtype="f").reshape(shape)
        parts = F.unstack(Variable(library.from_numpy(host)), axis)
        assert len(parts) == shape[axis] and all(p.dtype == parts[0].dtype for p in parts)
        y = F.stack(parts, axis)
        assert np.array_equal(library.to_numpy(y.data), host)
    assert F.unstack(Variable(library.from_numpy(np.ones((0, 2))))) == ()


def test_unstack_shares_memory_and_needs_no_gradient_for_arrays() -> None:
    a, _ = F.unstack(HOST[:2])
    assert np.shares_memory(a.data, HOST) and not a.requires_grad
    assert [v.dtype.name for v in F.unstack(np.array([1, 2], "int32"))] == ["int32", "int32"]


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.unstack(Variable(HOST), 2), ShapeError, r"Unstack: axis 2 for shape \(6, 3\)"),
    (lambda: F.unstack(Variable(np.array(1.0))), ShapeError, r"Unstack: axis 0 for shape \(\)"),
    (lambda: F.unstack(HOST, 0.5), ArgumentTypeError, "unstack: axis 0.5"),
    (lambda: F.unstack([1.0]), UnsupportedType, "unstack: x is of type list"),
    (lambda: F.unstack(HOST, dim=1), TypeError, "write axis"),
    (lambda: F.stack([HOST, HOST[0]]), ShapeError, r"Stack: shapes \(6, 3\), \(3,\): all must"),
    (lambda: F.stack([HOST, HOST], 3), ShapeError, "Stack: axis 3"),
    (lambda: F.stack([]), ValueError, "at least one array"),
]


@pytest.mark.parametrize(("line", "error", "message"), ERRORS)
def test_error(line: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        line()


def test_the_parts_of_unstack_share_one_backward() -> None:
    a, b = F.unstack(Variable(HOST[:2]))
    F.sum(a).backward(retain_graph=True)
    F.sum(b).backward()
    with pytest.raises(GraphError, match="Unstack: an earlier backward.*retain_graph=True"):
        F.sum(b * 1.0).backward()


@pytest.mark.parametrize("now", [(2, 2), (4, 2), (3, 1)])
def test_gradients_of_parts_are_not_added_after_the_shape_changed(now: tuple[int, int]) -> None:
    x = Variable(np.ones((3, 2)))
    before = F.sum(x[-1] * np.array([1.0, 2.0]))
    x.data = np.zeros(now)
    with pytest.raises((GraphError, ShapeError)):
        (before + F.sum(x[0])).backward()
    assert x.grad is None


class Doubled(indexing.GetItem):
    def backward(self, gy: Any) -> Any:
        return super().backward(gy) * 2


def test_a_subclass_of_get_item_gets_every_gradient() -> None:
    x = Variable(np.ones((3, 2)))
    (F.sum(Doubled(0)(x)) + F.sum(Doubled(1)(x))).backward()
    assert x.grad.data.tolist() == [[2, 2], [2, 2], [0, 0]]
