"""Compare derivatives of any order with central differences.

A checked function is called many times. If the function draws random values, it must draw the same
values in each call. Buffers such as running statistics do not change during a check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from dezero_core import DezeroError, Variable, using_config
from dezero_core.backends.host import HostArray
from dezero_core.extend import Array, ArrayBackend, get_backend
from dezero_core.state import default_backend


class GradientError(DezeroError, AssertionError):
    """A computed gradient does not agree with central differences."""


def check_gradients(
    function: Callable[..., Variable],
    *inputs: HostArray | float,
    order: int = 2,
    requires_grad: Sequence[bool] | None = None,
    backend: str | None = None,
    eps: float = 1e-6,
    rtol: float = 1e-6,
    atol: float = 1e-7,
    name: str | None = None,
) -> None:
    """Check the derivatives of ``function`` at ``inputs`` in float64.

    Compare the gradient of ``sum(v * function(*inputs))`` for a fixed ``v`` with central
    differences. For order 2, also differentiate each gradient with respect to the inputs and ``v``,
    and compare these second derivatives. Derivatives of order 2 and above are compared in one
    direction, which changes all elements of an input; only if the computed directional derivative
    differs from the central difference, they are compared element by element.

    Args:
        function: takes one Variable for each input, and returns a Variable.
        inputs: NumPy arrays; floating-point arrays are cast to float64, others are unchanged.
        order: highest derivative to check (default 2).
        requires_grad: which inputs to check; if None, all floating-point inputs.
        backend: name of the backend to compute on; the default one if None.
        eps: step of the central differences (default 1e-6).
        rtol, atol: tolerance relative to the largest gradient, and absolute tolerance (default
            1e-6 and 1e-7).
        name: the name of the function in messages; by default its ``__name__``.

    Raises:
        GradientError: a derivative is wrong; the message names the function, order, input, index
            and both values.
    """
    library = get_backend(backend) if backend else default_backend()
    hosts = [np.asarray(x) for x in inputs]
    hosts = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in hosts]
    flags = [x.dtype.kind == "f" for x in hosts] if requires_grad is None else list(requires_grad)
    label = name or str(getattr(function, "__name__", "function"))
    with using_config("update_buffers", False):
        for d in derivatives(function, hosts, flags, library, order, label):
            if d.order == 1 or not _agrees_in_one_direction(d, library, eps, rtol, atol):
                _compare(d.value, _differences(d, library, eps), rtol, atol, d.label)


class Derivative(NamedTuple):
    """The gradient of ``sum(v * function(*hosts))`` with respect to one input.

    Attributes:
        order: the order of the derivative.
        label: a text for messages: the function, the order of the derivative and the input.
        function: the function that is differentiated; its results may have no graph.
        hosts: the inputs of the function, as NumPy arrays.
        requires_grad: which inputs require grad.
        position: the index of the input to differentiate with respect to.
        v: the weight of each element of the result.
        value: the gradient that backward computed, as a NumPy array.
    """

    order: int
    label: str
    function: Callable[..., Variable]
    hosts: list[Any]
    requires_grad: list[bool]
    position: int
    v: Any
    value: Any


def derivatives(
    function: Callable[..., Variable],
    hosts: list[Any],
    requires_grad: list[bool],
    library: ArrayBackend,
    highest: int,
    label: str,
    order: int = 1,
    without_graph: Callable[..., Variable] | None = None,
) -> Iterator[Derivative]:
    """Yield the gradients that backward computes for ``function``, then higher derivatives.

    Args:
        function, hosts, requires_grad: as for `Derivative`.
        library: the backend to compute on.
        highest: highest order to compute.
        label: the name of the function.
        order: the lowest order to compute (default 1).
        without_graph: a faster function with the results of ``function``, but no graph (default
            ``function``).
    """
    xs = _variables(hosts, requires_grad, library)
    y = function(*xs)
    # fixed weights without symmetry, so that errors do not cancel in the sum
    v = np.cos(1.0 + np.arange(y.size)).reshape(y.shape)
    positions = [p for p, flag in enumerate(requires_grad) if flag]
    found = gradients(y, xs, library.from_numpy(v))
    for p in positions:
        gradient = found[p]
        value = np.zeros_like(hosts[p]) if gradient is None else library.to_numpy(gradient.data)
        where = f"{label}: order {order}, input {p}"
        yield Derivative(order, where, without_graph or function, hosts, requires_grad, p, v, value)

    for p in positions if order < highest else ():

        def gradient_of(*arguments: Variable, p: int = p, create_graph: bool = True) -> Variable:
            *xs, gy = arguments
            gradient = gradients(function(*xs), xs, gy, create_graph)[p]
            if gradient is None:
                zeros = library.from_numpy(np.zeros_like(hosts[p]))
                return Variable(zeros, requires_grad=False)
            return gradient

        inputs, flags = [*hosts, v], [*requires_grad, True]
        name = f"{label}, gradient of input {p}"
        values = partial(gradient_of, create_graph=False)
        yield from derivatives(
            gradient_of, inputs, flags, library, highest, name, order + 1, values
        )


def gradients(
    y: Variable, xs: Sequence[Variable], gy: Array | Variable, create_graph: bool = False
) -> list[Variable | None]:
    """Given the gradient ``gy`` of ``y``, return the gradient of each of ``xs``, or None."""
    if y.requires_grad and y.creator is not None:
        y.grad = gy if isinstance(gy, Variable) else Variable(gy, requires_grad=False)
        y.backward(create_graph=create_graph)
    found = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    return found


def _variables(hosts: list[Any], flags: list[bool], library: ArrayBackend) -> list[Variable]:
    """Return NumPy arrays as new Variables on a backend."""
    return [
        Variable(library.from_numpy(x), requires_grad=flag)
        for x, flag in zip(hosts, flags, strict=True)
    ]


def _differences(d: Derivative, library: ArrayBackend, eps: float) -> HostArray:
    """Return central differences of ``sum(v * function)`` for each element of one input."""
    numeric = np.zeros_like(d.hosts[d.position])
    for index in np.ndindex(numeric.shape):
        step = np.zeros_like(numeric)
        step[index] = eps
        numeric[index] = _change(d, library, step) / (2 * eps)
    return numeric


def _change(d: Derivative, library: ArrayBackend, step: HostArray) -> float:
    """Return ``sum(v * function)`` at ``x + step``, minus that at ``x - step``."""
    x, sums = d.hosts[d.position], []
    for moved in (x + step, x - step):
        hosts = [*d.hosts[: d.position], np.asarray(moved), *d.hosts[d.position + 1 :]]
        y = d.function(*_variables(hosts, d.requires_grad, library))
        sums.append(float(np.sum(d.v * library.to_numpy(y.data))))
    return sums[0] - sums[1]


def _agrees_in_one_direction(
    d: Derivative, library: ArrayBackend, eps: float, rtol: float, atol: float
) -> bool:
    """Compare the directional derivative in a direction that changes all elements of the input."""
    if d.value.shape != d.hosts[d.position].shape:
        return False
    direction = 1.0 + 0.5 * np.sin(np.arange(d.value.size)).reshape(d.value.shape)
    numeric = _change(d, library, eps * direction) / (2 * eps)
    limit = atol + rtol * np.max(np.abs(d.value), initial=0.0)
    return bool(np.abs(np.sum(d.value * direction) - numeric) < limit)  # False if both are infinite


def _compare(got: HostArray, numeric: HostArray, rtol: float, atol: float, what: str) -> None:
    """Raise `GradientError` at the first element that differs by more than the tolerance."""
    if got.shape != numeric.shape:
        raise GradientError(f"{what}: gradient has shape {got.shape}, input {numeric.shape}")
    limit = atol + rtol * np.max(np.abs(numeric), initial=0.0)
    wrong = ~(np.abs(got - numeric) <= limit)  # this form counts NaN as wrong
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise GradientError(
            f"{what}, index {index}: analytic {got[index]:.10g}, numeric {numeric[index]:.10g}"
        )
