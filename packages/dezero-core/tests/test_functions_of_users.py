"""Functions that users write: in place, with any attribute, and with mistakes in them."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import dezero_core.functions as F
from dezero_core import Function, Variable, grad
from dezero_core.errors import ArgumentError, FunctionWarning, GraphError, UnsupportedType

X = np.array([1.0, -2.0, 3.0])
Pair = namedtuple("Pair", "first second")


class DoubledInPlace(Function):
    def forward(self, x: Any) -> Any:
        return x * 2

    def backward(self, gy: Any) -> Any:
        gy *= 2
        return gy


class AddedInPlace(DoubledInPlace):
    def backward(self, gy: Any) -> Any:
        gx = gy
        gx += gy
        return gx


class SquaredInPlace(Function):
    def forward(self, x: Any) -> Any:
        return x * x

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        x *= 2
        return gy * x


@pytest.mark.parametrize("op", [DoubledInPlace, AddedInPlace])
def test_a_backward_in_place_changes_no_other_gradient(op: type[Function]) -> None:
    a, b = Variable(X.copy()), Variable(X.copy())
    y = a + op()(b)
    y.grad = np.ones(3)
    seed = y.grad
    y.backward()
    assert a.grad.data.tolist() == [1, 1, 1]
    assert b.grad.data.tolist() == [2, 2, 2]
    assert seed.data.tolist() == [1, 1, 1]


def test_a_backward_in_place_changes_no_input() -> None:
    x = Variable(X.copy())
    SquaredInPlace()(x).backward()
    assert x.data.tolist() == X.tolist()
    assert x.grad.data.tolist() == (2 * X).tolist()


class Split(Function):
    """A forward and a backward that return named tuples, as NumPy's decompositions do."""

    def forward(self, x: Any) -> Any:
        return Pair(x * 2, x * 3)

    def backward(self, g0: Any, g1: Any) -> Any:
        return (g0 * 2 + g1 * 3,)


class Joined(Function):
    def forward(self, x0: Any, x1: Any) -> Any:
        return x0 + x1

    def backward(self, gy: Any) -> Any:
        return Pair(gy, gy)


def test_named_tuples_are_tuples() -> None:
    x = Variable(X)
    Joined()(*Split()(x)).backward()
    assert x.grad.data.tolist() == [5, 5, 5]


class Released(Function):
    """Attributes with the names of methods of Function's."""

    def __init__(self) -> None:
        self.release = 0.5
        self.diagnose = True

    def forward(self, x: Any) -> Any:
        if x.ndim > 1:
            raise KeyError("one axis only")
        return x * self.release

    def backward(self, gy: Any) -> Any:
        return gy * self.release


class SumAndProduct(Function):
    def forward(self, x: Any, y: Any) -> Any:
        return x + y, x * y

    def backward(self, gs: Any, gp: Any) -> Any:
        x, y = self.inputs
        return gs + gp * y, gs + gp * x


@pytest.mark.parametrize("retain_graph", [False, True])
def test_two_inputs_may_have_two_outputs(retain_graph: bool) -> None:
    x, y = Variable(X), Variable(2 * X)
    total, product = SumAndProduct()(x, y)
    F.sum(total * product).backward(retain_graph=retain_graph)  # (x + y) x y
    assert x.grad is not None and x.grad.data.tolist() == (8 * X * X).tolist()
    assert y.grad is not None and y.grad.data.tolist() == (5 * X * X).tolist()


def test_attributes_may_have_the_names_of_methods() -> None:
    x = Variable(X)
    Released()(x).backward()
    assert x.grad.data.tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(KeyError, match="one axis only"):
        Released()(np.ones((1, 1)))


@dataclass(unsafe_hash=True)
class Scale(Function):
    s: float

    def forward(self, x: Any) -> Any:
        return x * self.s

    def backward(self, gy: Any) -> Any:
        return gy * self.s


@dataclass
class Unhashable(Scale):
    pass


@pytest.mark.parametrize("op", [Scale, Unhashable])
def test_calls_that_are_equal_are_two_calls(op: Any) -> None:
    x = Variable(np.array([1.0, 2.0]))
    (op(3.0)(x) + op(3.0)(x * x)).backward(retain_grad=True)
    assert x.grad.data.tolist() == [9, 15]


class Returns(Function):
    def __init__(self, result: Any, gradient: Any = None) -> None:
        self.result, self.gradient = result, gradient

    def forward(self, x: Any) -> Any:
        return x if self.result is Ellipsis else self.result

    def backward(self, gy: Any) -> Any:
        return self.gradient


def test_what_is_no_array_is_named() -> None:
    with pytest.raises(UnsupportedType, match=r"Returns\.forward returned NoneType"):
        Returns(None)(X)
    with pytest.raises(GraphError, match=r"Returns\.backward returned float; expected an array"):
        Returns(..., 0.0)(Variable(X)).backward()


@dataclass(frozen=True)
class FrozenError(Exception):
    text: str


class Raises(Function):
    def forward(self, x: Any) -> Any:
        raise FrozenError("mine")


def test_an_error_that_takes_no_note_comes_through() -> None:
    with pytest.raises(FrozenError):
        Raises()(X)


@pytest.mark.parametrize("seed", [np.array(5.0), Variable(np.array(5.0)), 1])
def test_a_gradient_is_no_flag(seed: Any) -> None:
    with pytest.raises(ArgumentError, match="write gradient=gy to start from gy"):
        F.sum(Variable(X)).backward(seed)


@pytest.mark.parametrize("seed", [np.ones(3, "u1"), np.ones(3, bool), np.full(3, 100, "i1")])
def test_a_seed_of_small_integers_does_not_wrap(seed: Any) -> None:
    for op, factor in ((lambda x: -x, -1.0), (lambda x: x + x, 2.0)):
        x = Variable(X)
        y = op(x)
        y.grad = seed
        y.backward()
        assert x.grad.data.tolist() == (factor * seed.astype(float)).tolist()


@pytest.mark.parametrize("number", [1j, np.complex128(1j)])
def test_complex_numbers_are_refused(number: Any) -> None:
    x = Variable(X)
    for op in (
        lambda: x * number,
        lambda: number - x,
        lambda: x**number,
        lambda: F.exp(number),
        lambda: F.maximum(x, number),
        lambda: F.where(X > 0, x, number),
    ):
        with pytest.raises(UnsupportedType, match="complex are not supported|complex128 are not"):
            op()


def test_powers_at_the_edges() -> None:
    x = Variable(np.array([np.inf, 1.0, 0.0]))
    (x**0).backward()
    assert x.grad.data.tolist() == [0, 0, 0]
    x.cleargrad()
    (x ** np.zeros(3)).backward()
    assert x.grad.data.tolist() == [0, 0, 0]
    k = Variable(np.array([-1.0]))
    with np.errstate(divide="ignore"):
        (np.zeros(1) ** k).backward()
    assert k.grad.data.tolist() == [0]


def test_numbers_and_lists_of_reductions() -> None:
    assert float(F.mean(3)) == float(F.logsumexp(3)) == 3
    with pytest.raises(UnsupportedType, match="mean: x is of type list"):
        F.mean([1, 2])


class WritesIntoGradient(DoubledInPlace):
    """Backwards that write into ``gy``; what they return is twice of what they got."""

    def __init__(self, write: Any) -> None:
        self.write = write

    def backward(self, gy: Any) -> Any:
        return self.write(gy)


def multiplied_out(gy: Any) -> Any:
    return np.multiply(gy, 2, out=gy)


def filled(gy: Any) -> Any:
    gx = gy * 2
    gy.fill(100)
    return gx


def sorted_in_place(gy: Any) -> Any:
    gx = gy + gy
    gy.sort()
    return gx


@pytest.mark.parametrize("write", [multiplied_out, filled, sorted_in_place])
def test_a_backward_that_writes_into_its_gradient_spares_the_sibling(write: Any) -> None:
    a, b, c = (Variable(X.copy()) for _ in range(3))
    h = a + b
    y = F.sum(h + WritesIntoGradient(write)(c) + h * np.array([1.0, 2.0, 3.0]))
    y.backward()
    assert a.grad.data.tolist() == b.grad.data.tolist() == [2, 3, 4]
    assert c.grad.data.tolist() == [2, 2, 2]


class ReadsData(DoubledInPlace):
    def backward(self, gy: Any) -> Any:
        gy.data *= 2
        return gy


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_backward_that_writes_into_the_data_of_its_gradient(create_graph: bool) -> None:
    a, b = Variable(X.copy()), Variable(X.copy())
    (a + ReadsData()(b)).backward(create_graph=create_graph)
    assert (a.grad.data.tolist(), b.grad.data.tolist()) == ([1, 1, 1], [2, 2, 2])


class KeepsOutputs(Function):
    """One of its outputs is a gradient, and so is an array that it keeps in a list."""

    def forward(self, x: Any, z: Any) -> Any:
        self.kept = [x * 5]
        return x * 2, z * 3

    def backward(self, g0: Any, g1: Any) -> Any:
        return self.outputs[0], self.kept[0]


def test_a_gradient_shares_no_array_with_the_call() -> None:
    x, z = Variable(X.copy()), Variable(X.copy())
    y, w = KeepsOutputs()(x, z)
    F.sum(y + w).backward(retain_graph=True)
    x.grad.data += 100
    z.grad.data += 100
    assert y.data.tolist() == (X * 2).tolist()
    assert y.creator.kept[0].tolist() == (X * 5).tolist()


@pytest.mark.parametrize("leaf", [True, False])
def test_a_gradient_is_named_as_the_seed(leaf: bool) -> None:
    x = Variable(X.copy())
    y = x if leaf else x * 1
    seed = np.array([1.0, 2.0, 3.0])
    y.backward(gradient=seed)
    y = x if leaf else x * 1
    y.backward(gradient=Variable(seed))
    assert x.grad.data.tolist() == [2, 4, 6]
    x.grad.data += 1
    assert seed.tolist() == [1, 2, 3], "not shared with the gradient"


def test_a_gradient_that_backward_has_kept_is_no_seed() -> None:
    x = Variable(np.array([2.0]))
    h = x * 3
    y = h * h
    y.backward(retain_grad=True, retain_graph=True)
    assert (h.grad.data, y.grad.data) == (12.0, 1.0)
    h.backward(retain_graph=True)
    assert x.grad.data == 36.0 + 3.0, "the seed is ones, not the 12 that was kept"
    h.grad = np.array([5.0])
    h.backward(retain_graph=True)
    assert x.grad.data == 39.0 + 15.0, "the seed is what was assigned"
    h.grad = np.array([5.0])
    y.backward(retain_grad=True, retain_graph=True)  # adds to it
    assert h.grad.data == 17.0
    h.backward()
    assert x.grad.data == 54.0 + 36.0 + 3.0


def test_the_assumption_about_a_backward_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from dezero_core import backward_modes

    monkeypatch.setattr(backward_modes, "_noted", False)
    text = r"First\.backward reads \.data .*on_variables = True"

    class First(DoubledInPlace):
        def backward(self, gy: Any) -> Any:
            return gy.data * 2

    class Second(DoubledInPlace):
        def backward(self, gy: Any) -> Any:
            return sum(g.data * 2 for g in [gy])  # the generator has a code object of its own

    class SaysSo(DoubledInPlace):
        on_variables = True

        def backward(self, gy: Any) -> Any:
            return gy.data * 2

    with pytest.warns(FunctionWarning, match=text) as noted:
        for op in (SaysSo, First, Second):
            x = Variable(X)
            op()(x).backward()
            assert x.grad.data.tolist() == [2, 2, 2]
    assert [warning.filename for warning in noted] == [__file__]


class SeesTypes(Function):
    def forward(self, x: Any) -> Any:
        return x * 1

    def backward(self, gy: Any) -> Any:
        self.seen = type(gy), type(self.inputs[0])
        return gy


class OnVariables(SeesTypes):
    on_variables = True  # the backward is inherited


class OnArrays(SeesTypes):
    on_variables = False

    def backward(self, gy: Any) -> Any:
        gy *= 1  # gy is a copy for this backward only
        return super().backward(gy)


@pytest.mark.parametrize(
    ("op", "plain"), [(SeesTypes, np.ndarray), (OnVariables, Variable), (OnArrays, np.ndarray)]
)
def test_a_class_says_what_its_backward_runs_on(op: type[Function], plain: type) -> None:
    for create_graph, expected in ((False, plain), (True, Variable)):
        call: Any = op()
        call(Variable(X)).backward(create_graph=create_graph)
        assert call.seen == (expected, expected)


def doubled_in_place(self: Any, gy: Any) -> Any:
    gy *= 2
    return gy


class Mixin:
    backward = doubled_in_place


class FromMixin(Mixin, DoubledInPlace):
    pass


class Static(DoubledInPlace):
    @staticmethod
    def backward(gy: Any) -> Any:
        gy *= 2
        return gy


class Assigned(DoubledInPlace):
    pass


Assigned.backward = doubled_in_place  # type: ignore[method-assign]


class OfInstance(DoubledInPlace):
    def __init__(self) -> None:
        self.backward = lambda gy: np.multiply(gy, 2, out=gy)  # type: ignore[method-assign]


@pytest.mark.parametrize("op", [FromMixin, Static, Assigned, OfInstance])
def test_every_form_of_backward_gets_its_own_gradient(op: type[Function]) -> None:
    x, z = Variable(X.copy()), Variable(X.copy())
    s = z * 1.0
    w = s + op()(x * 1.0)
    seed = np.ones(3)
    w.backward(gradient=seed)
    assert z.grad.data.tolist() == [1, 1, 1] and x.grad.data.tolist() == [2, 2, 2]
    assert seed.tolist() == [1, 1, 1]


@pytest.mark.parametrize("on_variables", [True, False])
@pytest.mark.parametrize("create_graph", [True, False])
def test_an_output_without_gradient_is_none(on_variables: bool, create_graph: bool) -> None:
    class Two(Function):
        materialize_grads = False

        def forward(self, x: Any) -> Any:
            return x * 2, x * 3

        def backward(self, g0: Any, g1: Any) -> Any:
            assert g1 is None
            return g0 * 2

    Two.on_variables = on_variables
    x = Variable(X)
    Two()(x)[0].backward(create_graph=create_graph)
    assert x.grad.data.tolist() == [2, 2, 2]


class Product(Function):
    """Multiply inputs; ``backward`` reads their data, as in the book's steps."""

    on_variables = True

    def forward(self, *xs: Any) -> Any:
        return np.prod(xs, axis=0)

    def backward(self, gy: Any) -> Any:
        arrays = [x.data for x in self.inputs]
        others = [np.prod([*arrays[:i], *arrays[i + 1 :]], axis=0) for i in range(len(arrays))]
        return tuple(gy * other for other in others)


@pytest.mark.parametrize("create_graph", [True, False])
@pytest.mark.parametrize(("count", "place"), [(2, 0), (2, 1), (3, 0), (3, 2)])
def test_arrays_are_variables_in_the_inputs_of_a_users_call(
    create_graph: bool, count: int, place: int
) -> None:
    x, factors = Variable(X.copy()), [np.array([2.0, 3.0, 4.0]) + i for i in range(count - 1)]
    y = Product()(*factors[:place], x, *factors[place:])
    assert all(isinstance(passed, Variable) for passed in y.creator.inputs)
    y.backward(create_graph=create_graph)
    assert np.array_equal(x.grad.data, np.prod(factors, axis=0))


def test_the_inputs_of_an_op_are_as_they_were_passed() -> None:
    x, array = Variable(X.copy()), np.ones(3)
    for factor in (3, array):
        inputs = (x * factor).creator.inputs
        assert inputs[0] is x
        assert inputs[1] is factor


CONSTANT = np.full(3, 5.0)


class GivesConstant(DoubledInPlace):
    def backward(self, gy: Any) -> Any:
        return CONSTANT


def test_a_gradient_is_never_an_array_of_the_program() -> None:
    x, z = Variable(X.copy()), Variable(X.copy())
    z.register_hook(lambda g: CONSTANT)
    F.sum(GivesConstant()(x) + z).backward()
    for variable in (x, z):
        variable.grad.data += 1
    assert grad(F.sum(GivesConstant()(x)), x).data is not CONSTANT
    y, seed = x * 1.0, np.ones(3)
    y.backward(gradient=seed, retain_grad=True)
    y.grad.data += 1
    assert CONSTANT.tolist() == [5, 5, 5] and seed.tolist() == [1, 1, 1]
