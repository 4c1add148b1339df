"""Backward: order, lifetime of the graph, who gets what, and what is never shared."""

import gc
import threading
import weakref

import numpy as np
import pytest

from dezero_core import Function, Variable, no_grad, using_config
from dezero_core import functions as F
from dezero_core.errors import GraphError, ShapeError
from dezero_core.extend import get_backend


def variable(*values: float) -> Variable:
    return Variable(np.array(values))


class Split(Function):
    """Two outputs: x + 1 and 2 x."""

    def forward(self, x):
        return x + 1, x * 2

    def backward(self, g0, g1):
        return g0 + 2 * g1


def test_gradients_add_up() -> None:
    x = variable(3.0)
    for times in (1, 2):
        (x * x + x).backward()
        assert x.grad.data == 7.0 * times
    x.cleargrad()
    assert x.grad is None


def test_backward_visits_the_latest_call_first() -> None:
    x = variable(2.0)
    a = x**2
    y = a**2 + a**2
    y.backward()
    assert x.grad.data == 64.0


def test_backward_without_a_graph_raises() -> None:
    x = variable(1.0)
    with no_grad():
        under_no_grad = x * 2
    for y in (under_no_grad, F.sin(np.ones(2)), Variable(None, requires_grad=False)):
        with pytest.raises(GraphError, match="no graph") as caught:
            y.backward()
        assert isinstance(caught.value, RuntimeError)
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_starts_from_an_assigned_grad(create_graph: bool, backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(np.array([1.0, 2.0])))
    y = x * 3
    y.grad = Variable(library.from_numpy(np.array([10.0, 20.0])))
    y.backward(create_graph=create_graph)
    assert np.array_equal(library.to_numpy(x.grad.data), [30.0, 60.0])
    assert y.grad is None
    with pytest.raises(ShapeError, match=r"grad: got shape \(3,\); the data has shape \(2,\)"):
        (x * 3).backward(gradient=Variable(library.from_numpy(np.ones(3))))


def test_backward_starts_from_an_array() -> None:
    x = variable(1.0, 2.0)
    y = x * 3
    y.grad = np.array([1.0, 2.0])
    y.backward()
    assert np.array_equal(x.grad.data, [3.0, 6.0])


def test_a_second_backward_needs_retain_graph() -> None:
    x = variable(2.0)
    y = F.sin(x) * x
    y.backward(retain_graph=True)
    once = x.grad.data.copy()
    y.backward()
    assert np.array_equal(x.grad.data, 2 * once)
    with pytest.raises(GraphError, match=r"retain_graph=True"):
        y.backward()
    assert np.array_equal(x.grad.data, 2 * once), "nothing changes"


def test_the_error_of_a_freed_shared_part_names_it() -> None:
    x = variable(2.0)
    trunk = F.sin(x)
    (trunk * 2).backward()
    before = x.grad.data.copy()
    with pytest.raises(GraphError, match="Sin.*retain_graph=True"):
        (trunk * 3 + x).backward()
    assert np.array_equal(x.grad.data, before), "no leaf was written, x included"


def test_retain_grad_stores_the_gradients_of_computed_variables() -> None:
    x = variable(2.0)
    a = x * 3
    b = a * a
    y = b + a
    y.backward(retain_grad=True)
    assert (y.grad.data, b.grad.data, a.grad.data, x.grad.data) == (1.0, 1.0, 13.0, 39.0)
    a.grad.data += 100.0
    assert x.grad.data == 39.0


def test_without_retain_grad_only_leaves_have_gradients() -> None:
    x = variable(2.0)
    a = x * 3
    y = a * a
    y.backward()
    assert y.grad is None
    assert a.grad is None


def test_truncated_backpropagation_of_the_book() -> None:
    w = variable(0.5)

    def window(h: Variable, loss: Variable | float) -> tuple[Variable, Variable | float]:
        for _ in range(3):
            h = F.tanh(h * w + 0.1)
            loss = loss + h * h
        return h, loss

    h, loss = variable(0.3), 0.0
    fresh_h = variable(0.3)
    for _ in range(3):
        h, loss = window(h, loss)
        w.cleargrad()
        loss.backward()
        loss.unchain_backward()
        got = w.grad.data.copy()
        assert h.creator is None
        assert loss.creator is None
        assert not loss.requires_grad

        start = Variable(fresh_h.data, requires_grad=False)
        fresh_h, fresh = window(start, 0.0)
        w.cleargrad()
        fresh.backward()
        assert np.array_equal(got, w.grad.data)


def test_unchain_backward_keeps_the_call_of_its_variable() -> None:
    x = variable(2.0)
    a = x * 3
    y = a * a
    y.unchain_backward()
    assert a.creator is None
    assert not a.requires_grad
    assert y.creator is not None
    y.backward()
    assert x.grad is None
    x.unchain_backward()  # nothing behind it: nothing to do


def test_backward_skips_calls_that_were_cut_off() -> None:
    x = variable(2.0)
    trunk = x * 3
    other = trunk * 5 + x
    (trunk * 2).unchain_backward()
    other.backward()
    assert x.grad.data == 1.0


def test_an_unchained_leaf_gets_no_gradient() -> None:
    x = variable(2.0)
    a = x * 3
    y = a * a + x
    a.unchain()
    y.backward()
    assert a.grad is None
    assert x.grad.data == 1.0


def test_the_gradients_of_unused_outputs_are_zeros() -> None:
    for create_graph in (False, True):
        for used, expected in ((0, 1.0), (1, 2.0)):
            x = variable(3.0)
            Split()(x)[used].backward(create_graph=create_graph)
            assert x.grad.data == expected
    x = variable(3.0)
    a, b = Split()(x)
    (a * b).backward(retain_grad=True)
    assert x.grad.data == 6.0 + 2 * 4.0
    assert (a.grad.data, b.grad.data) == (6.0, 4.0)
    with no_grad():
        assert not Split()(x)[0].requires_grad


def test_an_instance_can_be_called_once() -> None:
    op = F.arithmetic.Add()
    x = variable(1.0)
    op(x, x)
    with pytest.raises(GraphError, match="called before"):
        op(x, x)


def test_gradients_that_are_not_required_are_not_computed() -> None:
    asked = []

    class Watch(Function):
        def forward(self, x0, x1):
            return x0 * x1

        def backward(self, gy):
            asked.append(self.needs_grad)
            return gy, gy

    x, c = variable(1.0), variable(2.0)
    c.requires_grad = False
    Watch()(x, c).backward()
    Watch()(c, x).backward()
    assert asked == [(True, False), (False, True)]
    assert c.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "compute",
    [
        lambda x, z: x + z,
        lambda x, z: x.reshape(2, 1) + z.reshape(2, 1),
        lambda x, z: F.sum(x) + F.sum(z),
        lambda x, z: x - 1 + (z - 1),
    ],
)
def test_no_two_gradients_share_memory(compute, create_graph: bool) -> None:
    x, z = variable(1.0, 2.0), variable(3.0, 4.0)
    y = compute(x, z)
    seed = Variable(np.ones(y.shape))
    y.grad = seed
    y.backward(create_graph=create_graph)
    arrays = [x.grad.data, z.grad.data, seed.data]
    for i, a in enumerate(arrays):
        for b in arrays[:i]:
            assert not np.shares_memory(a, b)
    x.grad.data *= 100  # writable
    assert np.array_equal(z.grad.data, [1.0, 1.0])


def test_gradients_that_an_op_holds_are_copied() -> None:
    class Twice(Function):
        def forward(self, x0, x1):
            self.kept = np.ones(2)
            return x0 + x1

        def backward(self, gy):
            fresh = gy * 2
            return fresh, fresh

    class Kept(Twice):
        def backward(self, gy):
            return self.kept, self.inputs[0]

    for op in (Twice(), Kept()):
        x, z = variable(1.0, 2.0), variable(3.0, 4.0)
        op(x, z).backward()
        assert not np.shares_memory(x.grad.data, z.grad.data)
        assert not np.shares_memory(z.grad.data, x.data)
        if "kept" in vars(op):
            assert not np.shares_memory(x.grad.data, op.kept)


def test_a_leaf_gets_its_own_dtype() -> None:
    x = Variable(np.ones(2, "float32"))
    for create_graph in (False, True):
        x.cleargrad()
        (x * np.ones(2)).backward(create_graph=create_graph)
        assert x.grad.dtype == np.float32


def test_the_error_of_a_wrong_backward_names_it() -> None:
    class WrongShape(Function):
        def forward(self, x):
            return x * 2

        def backward(self, gy):
            return gy.sum()

    class WrongCount(WrongShape):
        def backward(self, gy):
            return gy, gy

    class Raises(WrongShape):
        def backward(self, gy):
            raise ZeroDivisionError

    x = variable(1.0, 2.0)
    with pytest.raises(ShapeError, match=r"WrongShape.*shape \(\).*shape \(2,\)"):
        WrongShape()(x).backward()
    with pytest.raises(GraphError, match="returned 2 gradients for 1 inputs; return one"):
        WrongCount()(x).backward()
    with pytest.raises(ZeroDivisionError) as caught:
        Raises()(x).backward()
    assert "Raises.backward" in caught.value.__notes__[0]
    assert x.grad is None
    (x * 2).backward()  # the failed passes left no mode behind
    assert np.array_equal(x.grad.data, [2.0, 2.0])


def test_a_memory_error_is_not_reported_as_a_wrong_shape() -> None:
    class Huge(F.shape.Reshape):
        def forward(self, x):
            raise MemoryError

    with pytest.raises(MemoryError) as caught:
        Huge((2, 1))(variable(1.0, 2.0))
    assert "in Huge(numpy.ndarray float64 (2,) on cpu)" in caught.value.__notes__


def test_functions_written_as_in_the_book_work() -> None:
    class Square(Function):  # reads .data: detected
        def forward(self, x):
            return x**2

        def backward(self, gy):
            x = self.inputs[0].data
            return 2 * x * gy

    class Cube(Function):  # uses a method that only Variables have: says so
        on_variables = True

        def forward(self, x):
            return x**3

        def backward(self, gy):
            (x,) = self.inputs
            assert isinstance(gy, Variable)
            assert isinstance(x, Variable)
            return 3 * x.matmul(x) * gy if x.ndim == 1 and x.size == 1 else 3 * x * x * gy

    class Tanh(Function):  # the book's, but for the call of the weak reference
        def forward(self, x):
            return np.tanh(x)

        def backward(self, gy):
            y = self.outputs[0]
            return gy * (1 - y * y)

    x = variable(0.5)
    for op, expected in ((Square, 1.0), (Cube, 0.75), (Tanh, 1 - np.tanh(0.5) ** 2)):
        for create_graph in (False, True):
            x.cleargrad()
            op()(x).backward(create_graph=create_graph)
            np.testing.assert_allclose(x.grad.data, [expected])


def test_named_functions_give_arrays_only_inside_a_plain_backward() -> None:
    seen = []

    class Spy(Function):
        def forward(self, x):
            return x * 1

        def backward(self, gy):
            seen.append((type(gy), type(self.inputs[0]), type(self.outputs[0]), type(F.sin(gy))))
            return gy

    x = variable(1.0)
    Spy()(x).backward()
    Spy()(x).backward(create_graph=True)
    assert seen == [(np.ndarray,) * 4, (Variable,) * 4]
    assert type(F.sin(np.ones(1))) is Variable


def test_second_and_third_derivatives() -> None:
    x = variable(0.7)
    y = F.sin(x)
    expected = [np.cos(0.7), -np.sin(0.7), -np.cos(0.7)]
    for value in expected:
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
        np.testing.assert_allclose(y.data, [value])


def test_powers_at_zero_have_finite_derivatives() -> None:
    x = variable(0.0)
    y = x**2
    for expected in (0.0, 2.0, 0.0):
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
        assert y.data == expected
    base, exponent = variable(0.0, 0.0, 2.0), variable(0.0, 1.0, 0.0)
    (base**exponent).backward()
    assert np.array_equal(base.grad.data, [0.0, 1.0, 0.0])
    assert np.array_equal(exponent.grad.data, [0.0, 0.0, np.log(2.0)])


def test_ties_share_the_gradient() -> None:
    x, z = variable(1.0, 2.0), variable(1.0, 1.0)
    F.maximum(x, z).backward()
    assert np.array_equal(x.grad.data, [0.5, 1.0])
    assert np.array_equal(z.grad.data, [0.5, 0.0])


def test_a_long_chain_needs_no_recursion() -> None:
    x = variable(1.0)
    y = x
    for _ in range(20_000):
        y = y * 1.0
    y.backward()
    assert x.grad.data == 1.0
    y = x
    for _ in range(20_000):
        y = y + 1.0
    y.unchain_backward()
    del y  # an unvisited graph goes without recursion too


@pytest.mark.slow
def test_a_chain_of_a_million_calls() -> None:
    x = variable(1.0)
    for visit in (Variable.backward, Variable.unchain_backward, id):
        y = x
        for _ in range(500_000):
            y = -(y * 1.0)
        visit(y)
        del y
    assert x.grad.data == 1.0


def test_a_graph_lives_as_long_as_its_outputs() -> None:
    gc.disable()
    try:
        x = variable(1.0)
        a = F.sin(x)
        kept = weakref.ref(a)
        y = a * 2
        del a
        y.backward()
        assert kept() is None, "a plain backward frees as it goes"
        z = F.sin(x) * 2
        inner = weakref.ref(z.creator.inputs[0])
        del z
        assert inner() is None
    finally:
        gc.enable()


def test_backward_inside_backward() -> None:
    class Inner(Function):
        def forward(self, x):
            return x * x

        def backward(self, gy):
            inner = Variable(np.array([4.0]))
            with using_config("enable_backprop", True):  # a plain pass records nothing
                (inner * inner).backward()
            assert isinstance(inner.grad, Variable)
            assert not isinstance(self.inputs[0], Variable)
            return gy * float(inner.grad)

    x = variable(1.0)
    Inner()(x).backward()
    assert x.grad.data == 8.0


def test_threads_share_a_leaf() -> None:
    x = variable(1.0)

    def work() -> None:
        for _ in range(200):
            (x * 2).backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.data == 4 * 200 * 2


def test_a_plain_backward_records_nothing() -> None:
    x, c = variable(1.0), variable(3.0)

    class Closure(Function):
        def forward(self, x):
            return x * 3

        def backward(self, gy):
            return gy * c  # a Variable from outside

    Closure()(x).backward()
    assert x.grad.creator is None
    assert x.grad.data == 3.0


def test_float32_stays_float32_through_two_backwards() -> None:
    x = Variable(np.array([0.5, 1.5], "float32"))
    y = F.sum(F.tanh(x) ** 3 / 2 + 1 / x + 2**x - F.exp(-x))
    y.backward(create_graph=True)
    g = x.grad
    x.cleargrad()
    F.sum(g * g).backward()
    assert (y.dtype, g.dtype, x.grad.dtype) == (np.float32,) * 3


def test_the_garbage_collector_visits_two_objects_per_live_call_and_one_per_freed_call() -> None:
    def tracked() -> int:
        gc.collect()
        return len(gc.get_objects())

    class Times(F.arithmetic.Mul):  # classes whose instances no other test has changed
        pass

    class Sine(F.trigonometric.Sin):
        pass

    x, calls = variable(1.0, 2.0), 1000
    before, y = tracked(), x
    for _ in range(calls):
        y = Sine()(Times()(y, x))
    live = tracked() - before
    y.backward()
    freed = tracked() - before
    assert live / (2 * calls) < 2.1 and freed / (2 * calls) < 1.6, (live, freed)
