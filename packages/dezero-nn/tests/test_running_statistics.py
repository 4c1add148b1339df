"""Test which calls update running statistics, and which leave them unchanged."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from dezero.utils import gradient_check, numerical_grad
from dezero_core import (
    Buffer,
    Config,
    Function,
    Variable,
    grad,
    hessian,
    hvp,
    jacobian,
    no_grad,
    test_mode,
    using_config,
)
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.functions import sum, tanh
from dezero_nn import (
    BatchNorm,
    Layer,
    Linear,
    Model,
    Sequential,
    batch_norm,
    dropout,
    relu,
)
from dezero_nn.utils import spectral_norm
from dezero_testing.gradients import check_gradients

X = np.linspace(-1, 1, 6).reshape(3, 2) ** 2


class Counted(Layer):
    """A layer of a user, with a Buffer that counts calls."""

    def __init__(self) -> None:
        self.calls = Buffer(np.array(0))

    def forward(self, x: Any) -> Any:
        if Config.update_buffers:
            self.calls.data = self.calls.data + 1
        return x


def network() -> Sequential:
    return Sequential(Linear(2, dtype="float64"), BatchNorm(dtype="float64"), tanh, Counted())


def score(model: Any) -> Callable[[Any], Any]:
    return lambda x: sum(model(x) ** 3)


ON_THE_SIDE: dict[str, Callable[[Any], Any]] = {
    "hessian": lambda m: hessian(score(m), X),
    "jacobian": lambda m: jacobian(m, X),
    "jacobian of a gradient": lambda m: jacobian(
        lambda x: grad(score(m)(x), x, create_graph=True), Variable(X)
    ),
    "hvp": lambda m: hvp(score(m), X, X),
    "check_gradients": lambda m: check_gradients(m, X, rtol=1e-4),
    "gradient_check": lambda m: gradient_check(m, X),
    "numerical_grad": lambda m: numerical_grad(m, X),
    "summary": lambda m: Model.summary(m, X),
}


@pytest.mark.parametrize("use", ON_THE_SIDE.values(), ids=ON_THE_SIDE)
def test_internal_calls_do_not_change_buffers(use: Any) -> None:
    model = network()
    model(X)
    before = {key: x.data.copy() for key, x in model.named_params().items()}
    use(model)
    for key, x in model.named_params().items():
        assert np.array_equal(x.data, before[key]), key
    assert Config.update_buffers
    model(X)
    assert model.l3.calls.data == 2
    assert not np.array_equal(model.l1.avg_mean.data, before["l1/avg_mean"]), "a call moves it"


def test_running_statistics_are_the_only_buffers_that_are_averaged() -> None:
    model = Sequential(BatchNorm(2), spectral_norm(Linear(2, in_size=2)), Counted())
    buffers = {k: x for k, x in model.named_params().items() if isinstance(x, Buffer)}
    averaged = [key for key, x in buffers.items() if x.reduce == "mean"]
    assert averaged == ["l0/avg_mean", "l0/avg_var"] and len(buffers) == 5


def test_a_buffer_takes_reduce_from_the_buffer_that_it_replaces() -> None:
    norm = BatchNorm(2)
    norm.avg_mean = Buffer(np.zeros(2))
    norm.counts = Buffer(np.zeros(2))
    norm.counts = Buffer(np.ones(2))
    assert (norm.avg_mean.reduce, norm.counts.reduce) == ("mean", None)


def test_internal_calls_do_not_change_running_arrays() -> None:
    one, mean, var = np.ones(2), np.zeros(2), np.ones(2)

    def normalised(x: Any) -> Any:
        return sum(batch_norm(x, one, one, mean, var) ** 3)

    hessian(normalised, X)
    with using_config("update_buffers", False):
        normalised(X)
    assert mean.tolist() == [0, 0] and var.tolist() == [1, 1]
    normalised(X)
    assert mean.any()


def test_a_hessian_draws_one_mask() -> None:
    """`hessian` calls the function once, so that all derivatives have the same mask."""
    ones = np.ones(200)
    second = np.diag(hessian(lambda x: sum(dropout(x, 0.5) ** 2), ones).data)
    product = hvp(lambda x: sum(dropout(x, 0.5) ** 2), ones, ones).data
    assert set(second) == set(product) == {0.0, 8.0}


ALONE = [(1, 3), (1, 3, 1), (1, 3, 1, 1)]


@pytest.mark.parametrize("shape", ALONE)
def test_one_value_per_channel_has_no_variance(shape: tuple[int, ...]) -> None:
    layer, x = BatchNorm(), Variable(np.ones(shape, "float32"))
    with pytest.raises(ShapeError, match="one value a channel"):
        layer(x)
    with test_mode():
        assert layer(x).shape == shape
    before = layer.avg_var.data.copy()
    with pytest.raises(
        ShapeError,
        match=r"batch_norm: x \(1, 3.*a batch of 1 with 3 channels, has one value a channel.*"
        r"expected more than one; use a larger batch, .*drop_last=True.*outside of training "
        r"model.eval\(\)",
    ):
        layer(x)
    with pytest.raises(ShapeError, match=r"\(in model.l0\)"):
        Sequential(layer)(x)
    assert np.array_equal(layer.avg_var.data, before)


@pytest.mark.parametrize("block", [nullcontext, no_grad])
def test_one_example_may_create_the_weights_of_a_model(block: Any) -> None:
    """The book's GAN does this before it draws other weights."""
    model = Sequential(Linear(3), BatchNorm(), relu, Linear(2))
    one = np.ones((1, 4), "float32")
    with block():
        assert np.isfinite(model(one).data).all()
    assert all(p.data is not None for p in model.params())
    norm = model.l1
    assert norm.avg_mean.data.tolist() == [0] * 3 and norm.avg_var.data.tolist() == [1] * 3
    with pytest.raises(ShapeError, match=r"one value a channel.*\(in model.l1\)"):
        model(one)


@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 2), (1, 3, 1, 2), (2, 3, 1, 1), (2, 1)])
def test_two_values_per_channel_have_a_variance(shape: tuple[int, ...]) -> None:
    layer = BatchNorm()
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    y = layer(x).data
    assert abs(y.mean()) < 1e-6 and np.isfinite(layer.avg_var.data).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_evaluation_takes_statistics_of_every_dtype(dtype: str) -> None:
    x = np.array([[1.0, 2.0], [3.0, 5.0]], "float16")
    mean, var = np.array([1, 2], dtype), np.array([4, 9], dtype)
    with test_mode():
        y = batch_norm(x, np.ones(2, "float16"), np.zeros(2, "float16"), mean, var, eps=0.0)
    assert y.data.dtype == np.float16
    np.testing.assert_allclose(y.data, [[0, 0], [1, 1]], rtol=1e-3)


class Ranks:
    """Add up vectors over threads, each of which holds a part of a batch."""

    def __init__(self, size: int) -> None:
        self.barrier, self.arrays, self.size = Barrier(size, timeout=10), [None] * size, size

    def total(self, rank: int, x: Any) -> Any:
        self.arrays[rank] = x
        self.barrier.wait()
        result = np.sum(self.arrays, axis=0)
        self.barrier.wait()
        return result

    def run(self, job: Callable[[int], Any]) -> list[Any]:
        with ThreadPoolExecutor(self.size) as pool:
            return list(pool.map(job, range(self.size)))


class AllSum(Function):
    """y = sum of x over the ranks;  dL/dx = sum of gy over the ranks, if L is a sum over them."""

    def __init__(self, ranks: Ranks, rank: int, counts: bool = True) -> None:
        self.ranks, self.rank, self.counts = ranks, rank, counts

    def forward(self, x: Any) -> Any:
        return self.ranks.total(self.rank, x * self.counts)

    def backward(self, gy: Any) -> Any:
        return AllSum(self.ranks, self.rank)(gy) * self.counts


def trained(layer: BatchNorm, x: Any, weight: Any) -> list[Any]:
    """Return the output, its gradients, those of the sum of gx**2, and the running statistics."""
    x = Variable(x)
    y = layer(x)
    sum(weight * y**3).backward(create_graph=True)
    gx, first = x.grad, [layer.gamma.grad.data, layer.beta.grad.data]
    x.cleargrad(), layer.cleargrads()
    sum(gx**2).backward()
    second = [layer.gamma.grad.data]
    return [
        [y.data, gx.data, x.grad.data],
        [*first, *second],
        layer.avg_mean.data,
        layer.avg_var.data,
    ]


@pytest.mark.parametrize("rest", [(), (2, 3)])
@pytest.mark.parametrize("rows", [(3, 2), (4, 1, 1), (1, 1, 1), (2, 1, 0)])
def test_batch_norm_over_ranks_equals_one_process_with_the_whole_batch(
    rows: tuple[int, ...], rest: tuple[int, ...]
) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(10.0, 2.0, size=(np.sum(rows), 3, *rest))
    weight = draw.normal(size=x.shape)
    expected = trained(BatchNorm(3, dtype="float64"), x, weight)
    ranks, ends = Ranks(len(rows)), np.cumsum(rows)

    def job(rank: int) -> list[Any]:
        counts, part = rows[rank] > 0, slice(ends[rank] - rows[rank], ends[rank])
        layer = BatchNorm(dtype="float64", all_sum=lambda x: AllSum(ranks, rank, counts)(x))
        if not counts:  # a rank without rows computes with one row, and adds zeros
            return trained(layer, x[:1] * 7, 0 * weight[:1])
        return trained(layer, x[part], weight[part])

    found = ranks.run(job)
    for whole, *parts in zip(expected[0], *[part[0] for part in found], strict=True):
        got = np.concatenate([part[:n] for part, n in zip(parts, rows, strict=True)])
        np.testing.assert_allclose(got, whole, rtol=1e-11, atol=1e-11 * abs(whole).max())
    for whole, *parts in zip(expected[1], *[part[1] for part in found], strict=True):
        np.testing.assert_allclose(np.sum(parts, axis=0), whole, rtol=1e-11)
    for _, _, mean, var in found:
        np.testing.assert_allclose(mean, expected[2], rtol=1e-13)
        np.testing.assert_allclose(var, expected[3], rtol=1e-13)


def test_batch_norm_over_ranks_needs_two_values_and_copies_keep_all_sum() -> None:
    layer = BatchNorm(3, all_sum=np.asarray)
    assert pickle.loads(pickle.dumps(layer)).all_sum is np.asarray
    assert "all_sum=asarray" in repr(layer)
    layer.all_sum = lambda x: x
    with pytest.raises(ShapeError, match="a batch of 1 with 3 channels, has one value a channel"):
        layer(np.ones((1, 3), "float32"))
    assert layer.eval()(np.ones((1, 3), "float32")).shape == (1, 3)
    layer.all_sum = "sum"
    with pytest.raises(ArgumentError, match="all_sum is 'sum'; expected a function or None"):
        layer(np.ones((2, 3), "float32"))
