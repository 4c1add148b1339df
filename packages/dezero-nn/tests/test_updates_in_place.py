"""Test that an update changes no array that a graph, a view or another object refers to."""

from __future__ import annotations

import copy
import gc
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

import dezero_core.functions as F
from dezero_core import Parameter, Variable, grad, no_grad
from dezero_core.extend import get_backend
from dezero_core.state import own_data, updating
from dezero_nn import layers as L
from dezero_nn import optimizers
from dezero_nn.functions import batch_norm

OPTIMIZERS = [
    lambda: optimizers.SGD(0.5),
    lambda: optimizers.MomentumSGD(0.5),
    lambda: optimizers.Adam(),
    lambda: optimizers.AdaGrad(),
    lambda: optimizers.RMSprop(),
]


class Holder(L.Layer):
    def __init__(self, data: Any) -> None:
        super().__init__()
        self.p = Parameter(data, name="p")


def updated(holder: Holder, optimizer: Any, times: int = 1) -> None:
    library = holder.p
    for _ in range(times):
        holder.p.grad = Variable(library.data * 0 + 1)
        optimizer.update()


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_retained_graph_uses_the_values_before_the_update(make: Any, backend: str) -> None:
    library = get_backend(backend)
    holder = Holder(library.from_numpy(np.array([1.0, 2.0])))
    x = Variable(library.from_numpy(np.array([3.0, 4.0])))
    optimizer = make().setup(holder)
    updated(holder, optimizer)  # the state exists
    before = library.to_numpy(holder.p.data)
    y = F.sum(x * holder.p * holder.p)
    updated(holder, optimizer, times=2)
    assert not np.array_equal(library.to_numpy(holder.p.data), before)
    for create_graph in (False, True):
        gx = grad(y, x, create_graph=create_graph, retain_graph=True)
        np.testing.assert_allclose(library.to_numpy(gx.data), before**2)


def test_a_generator_learns_from_the_discriminator_it_was_judged_by() -> None:
    def gradients(update_between: bool) -> Any:
        rng = np.random.default_rng(0)
        generator, discriminator = L.Linear(4, in_size=3), L.Linear(1, in_size=4)
        for layer in (generator, discriminator):
            layer.W.data = rng.standard_normal(layer.W.shape)
            layer.b.data = rng.standard_normal(layer.b.shape)
        judge = optimizers.SGD(1.0).setup(discriminator)
        score = F.sum(F.tanh(discriminator(generator(rng.standard_normal((5, 3))))))
        score.backward(retain_graph=True)
        if update_between:
            judge.update()
        generator.cleargrads()
        (-score).backward()
        return generator.W.grad.data

    assert np.array_equal(gradients(True), gradients(False))


@pytest.mark.parametrize(
    "view",
    [
        lambda p: F.reshape(p, (-1,)),
        lambda p: p.T,
        lambda p: p[0],
        lambda p: p[:, ::2],
        lambda p: p.detach(),
        lambda p: copy.copy(p),
        lambda p: Variable(p.data),
        lambda p: Variable(p.data.reshape(-1)),
        lambda p: Variable(np.asarray(memoryview(p.data))),
        lambda p: Variable(np.from_dlpack(p.data)),
    ],
)
@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("own", [True, False], ids=["array", "view of a buffer"])
def test_a_view_keeps_its_values(view: Any, make: Any, own: bool) -> None:
    data = np.arange(6.0).reshape(2, 3)
    holder = Holder(data.copy() if own else data)
    optimizer = make().setup(holder)
    seen = view(holder.p)
    before = seen.data.copy()
    updated(holder, optimizer, times=2)
    assert np.array_equal(seen.data, before)
    assert np.array_equal(data, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_the_ordinary_loop_copies_nothing(make: Any) -> None:
    gc.disable()  # so that references go when the loop drops them, not when the collector runs
    try:
        layer = L.Linear(3, in_size=4)
        optimizer = make().setup(layer)
        x = np.ones((2, 4), "f")
        addresses = set()
        for _ in range(4):
            loss = F.sum(layer(x) ** 2)
            layer.cleargrads()
            loss.backward()
            optimizer.update()
            addresses.add((layer.W.data.ctypes.data, layer.b.data.ctypes.data))
        with no_grad():
            y = layer(x)
        loss.unchain_backward()
        optimizer.update()
        addresses.add((layer.W.data.ctypes.data, layer.b.data.ctypes.data))
        assert len(addresses) == 1, y
    finally:
        gc.enable()


def test_another_reference_costs_one_copy() -> None:
    holder = Holder(np.ones(3))
    optimizer = optimizers.SGD(0.5).setup(holder)
    held = holder.p.data
    updated(holder, optimizer)
    address = holder.p.data.ctypes.data
    updated(holder, optimizer, times=3)
    assert holder.p.data.ctypes.data == address
    assert held.tolist() == [1, 1, 1]


class InPlace(optimizers.Optimizer):
    """An optimizer written as in the book, with an update in place."""

    def update_one(self, param: Any) -> None:
        param.data -= 0.5 * param.grad.data


def test_an_optimizer_of_the_book_writes_into_a_copy_too() -> None:
    holder = Holder(np.ones(3))
    optimizer = InPlace().setup(holder)
    seen = F.reshape(holder.p, (3, 1))
    updated(holder, optimizer)
    assert seen.data.tolist() == [[1], [1], [1]] and holder.p.data.tolist() == [0.5] * 3


def test_a_called_update_one_writes_into_a_copy_too() -> None:
    holder = Holder(np.ones(3))
    optimizer = optimizers.SGD(0.5).setup(holder)
    seen = holder.p.detach()
    holder.p.grad = np.ones(3)
    optimizer.update_one(holder.p)
    assert seen.data.tolist() == [1, 1, 1] and holder.p.data.tolist() == [0.5] * 3


@pytest.mark.parametrize("wrap", [lambda a: a, lambda a: Parameter(a)], ids=["array", "Variable"])
def test_running_statistics_change_while_a_graph_is_retained(wrap: Any) -> None:
    from dezero_core import test_mode

    x, gamma, beta = Variable(np.arange(8.0).reshape(4, 2)), Variable(np.ones(2)), np.zeros(2)
    mean, var = wrap(np.zeros(2)), wrap(np.ones(2))

    def gradient(train_between: bool) -> Any:
        with test_mode():
            y = F.sum(batch_norm(x, gamma, beta, mean, var))
        if train_between:
            batch_norm(np.full((4, 2), [[5.0], [6.0], [7.0], [8.0]]), np.ones(2), beta, mean, var)
        return grad(y, gamma).data.tolist()

    assert gradient(False) == gradient(True)


def test_arrays_read_under_the_lock_do_not_change() -> None:
    """Read all parameters between two updates of a thread that trains."""
    layer = Holder(np.zeros(100_000, "f"))
    layer.q = Parameter(np.zeros(50_000, "f"))
    optimizer, stop = optimizers.SGD(1.0).setup(layer), Event()

    def train() -> None:
        while not stop.is_set():
            for p in (layer.p, layer.q):
                p.grad = np.ones(p.shape, "f")
            optimizer.update()

    thread = Thread(target=train)
    thread.start()
    try:
        for _ in range(50):
            with updating():
                arrays = layer.p.data, layer.q.data
            first = [a.copy() for a in arrays]
            assert len({float(value) for a in first for value in (a.min(), a.max())}) == 1
            assert all(np.array_equal(a, b) for a, b in zip(arrays, first, strict=True))
    finally:
        stop.set()
        thread.join()


def test_own_data_of_the_array_libraries(backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(np.ones(3)))
    held = x.data
    assert own_data(x) is not held
    view = library.get_item(x.data, slice(0, 2))
    before = x.data
    assert own_data(x) is not before
    assert view is not None
