"""Test that an error is explained only if the explanation is true, else raised unchanged."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import dezero.functions as F
from dezero import Function, Variable, layers, no_grad
from dezero_core.errors import DezeroError, GraphError
from dezero_testing import load_rows

X = np.ones((2, 3))
CASES = [case for plugin in ("core", "nn") for case in load_rows(plugin)]
CALLS = [
    (f"{case.name} {shapes}", case.function, case.variables("numpy", case.sample(shapes)))
    for case in CASES
    for shapes in case.shapes
]
"""The name, the function and the inputs of each trial of the op table."""


def subclasses(base: type) -> Iterator[type]:
    for cls in base.__subclasses__():
        yield cls
        yield from subclasses(cls)


ERRORS = [
    FloatingPointError("overflow encountered in exp"),
    ZeroDivisionError("division by zero"),
    RuntimeWarning("invalid value encountered in divide"),
    DeprecationWarning("will be removed"),
    MemoryError("Unable to allocate 8 GiB"),
    RecursionError("maximum recursion depth exceeded"),
    NotImplementedError("no such path"),
    KeyboardInterrupt(),
    OSError("a device is gone"),
    ValueError("a bug"),
    TypeError("a bug"),
    IndexError("a bug"),
    AttributeError("a bug"),
    RuntimeError("a bug"),
    KeyError("a bug"),
    NameError("a bug"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_op_raises_an_error_that_its_inputs_do_not_explain_unchanged(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[BaseException] = []

    def forward(self: Function, *arrays: Any) -> Any:
        raised.append(type(error)(*error.args))
        raise raised[-1]

    for cls in [Function, *subclasses(Function)]:
        if "forward" in vars(cls):
            monkeypatch.setattr(cls, "forward", forward)
    for name, function, xs in CALLS:
        before = len(raised)
        try:
            function(*xs)
        except BaseException as caught:
            assert caught is raised[-1], f"{name}: {caught!r}"
        else:  # e.g. dropout outside training
            assert len(raised) == before, f"{name}: nothing came through"
    assert len(raised) > len(CASES)


def test_errors_about_settings_are_those_of_numpy() -> None:
    big = np.array([[1e4, -1e4], [0.0, 1.0]])
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="underflow"):
        F.softmax(big)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="divide by zero") as caught:
            F.log(np.zeros(2))
    assert caught.value.__notes__ == ["in Log(numpy.ndarray float64 (2,) on cpu)"]


Misfit = tuple[Callable[[], Any], str]
MISFITS: list[Misfit] = [
    (lambda: F.max(X, axis=2), "Max: axis 2 for shape"),
    (lambda: F.max(X, axis=(0, 0)), r"Max: axis \(0, 0\) for shape .*each named once"),
    (lambda: F.max(X[:0], axis=0), "Max: axis 0 .*no elements"),
    (lambda: F.argmax(X, axis=5), "ArgMax: axis 5"),
    (lambda: F.logsumexp(X, axis=-3), "LogSumExp: axis -3"),
    (lambda: F.sum(X, axis=(0, 3)), r"Sum: axis \(0, 3\)"),
    (lambda: F.softmax(X, axis=2), "Softmax: axis 2 .*axis=-1"),
    (lambda: F.reshape(X, (4, -1)), r"Reshape: 6 elements .* to \(4, -1\)"),
    (lambda: F.reshape(X, (-1, -1)), "one length may be -1"),
    (lambda: F.reshape(X[:0], (0, -1)), "Reshape: 0 elements"),
    (lambda: F.transpose(X, (0, 0)), "Transpose: axes .*expected each axis once"),
    (lambda: F.transpose(X, (0,)), "Transpose: axes"),
    (lambda: F.expand_dims(X, 4), "ExpandDims: axis 4"),
    (lambda: F.squeeze(X, 0), "Squeeze: axis 0"),
    (lambda: F.concat([X, X[0]]), "Concat: shapes"),
    (lambda: F.concat([X, X.T]), "Concat: shapes"),
    (lambda: F.concat([X, X], axis=2), "Concat: .*along axis 2"),
    (lambda: F.broadcast_to(X, (3, 2)), "BroadcastTo: shape"),
    (lambda: F.matmul(X, X), "MatMul: shapes"),
    (lambda: F.matmul(np.ones((4, 2, 3)), np.ones((5, 3, 2))), "MatMul: .*must broadcast"),
    (lambda: F.matmul(X, np.array(1.0)), "MatMul: shapes"),
    (lambda: F.linear(X, X.T, np.ones(3)), r"Linear: .* b \(3,\)"),
    (lambda: Variable(X)[2], "GetItem: index 2"),
    (lambda: Variable(X)[0, 0, 0], "GetItem: index"),
    (lambda: Variable(X)[..., -4], "GetItem: index"),
    (lambda: Variable(X)[:, None, np.array([0, 3])], "GetItem: index"),
    (lambda: Variable(X)[np.array([True, False, True])], "GetItem: index"),
]


@pytest.mark.parametrize("misfit", MISFITS, ids=lambda misfit: misfit[1])
def test_a_misfit_is_explained_and_the_original_error_chained(misfit: Misfit) -> None:
    call, message = misfit
    with pytest.raises(DezeroError, match=message) as caught:
        call()
    assert isinstance(caught.value.__cause__, ValueError | IndexError | TypeError)


def test_a_diagnosis_never_hides_the_error() -> None:
    class Broken(Function):
        def forward(self, x: Any) -> Any:
            raise ValueError("the cause")

        def diagnose(self, *arrays: Any) -> None:
            raise KeyError("a slip in the diagnosis")

    with pytest.raises(KeyError) as caught:
        Broken()(X)
    assert str(caught.value.__cause__) == "the cause"


def backward_raising(error: Callable[..., Any], needs_variables: bool = False) -> list[str]:
    class Op(Function):
        on_variables = needs_variables

        def forward(self, x: Any) -> Any:
            return x * 2

        def backward(self, gy: Any) -> Any:
            return error(self, gy)

    with pytest.raises(Exception) as caught:
        Op()(Variable(X)).backward()
    return caught.value.__notes__


def divide_by_zero(op: Function, gy: Any) -> Any:
    return gy * (1 / 0)


def missing_attribute(op: Function, gy: Any) -> Any:
    return op.missing


def variable_method(op: Function, gy: Any) -> Any:
    return gy.cleargrad()


def called_output(op: Function, gy: Any) -> Any:
    return op.outputs[0]()


def misspelt_attribute(op: Function, gy: Any) -> Any:
    return gy.shpae


def number_and_text(op: Function, gy: Any) -> Any:
    return gy + "text"


def own_type_error(op: Function, gy: Any) -> Any:
    raise TypeError("expected a Variable or ndarray of labels")


def array_method(op: Function, gy: Any) -> Any:
    return gy.argsort()


@pytest.mark.parametrize(
    "error",
    [divide_by_zero, missing_attribute, misspelt_attribute, number_and_text, own_type_error],
)
def test_an_error_that_variables_would_not_avoid_gets_no_advice(error: Any) -> None:
    for needs_variables in (False, True):
        assert backward_raising(error, needs_variables) == ["in Op.backward"]


@pytest.mark.parametrize(
    ("error", "needs_variables"),
    [(variable_method, False), (array_method, True), (called_output, False), (called_output, True)],
)
def test_an_array_mistaken_for_a_variable_gets_advice(error: Any, needs_variables: bool) -> None:
    assert "on_variables = True" in backward_raising(error, needs_variables)[0]


@pytest.mark.parametrize("make", [layers.RNN, layers.LSTM, layers.GRU])
def test_the_error_names_the_state_of_the_previous_batch(make: Any) -> None:
    rnn = make(2, in_size=3)
    F.sum(rnn(X)).backward()
    with pytest.raises(GraphError, match=r"reset_state\(\).*unchain_backward\(\)"):
        F.sum(rnn(X)).backward()
    rnn.reset_state()
    F.sum(rnn(X)).backward()


def test_the_same_backward_twice_is_advised_to_retain() -> None:
    y = F.sum(Variable(X) * 2)
    y.backward()
    with pytest.raises(GraphError, match="pass retain_graph=True") as caught:
        y.backward()
    assert "reset_state" not in str(caught.value)
    with no_grad():
        assert (y * 2).shape == ()
