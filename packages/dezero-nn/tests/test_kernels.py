"""Compare each kernel with its portable definition, on random shapes that it supports."""

import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dezero_core import Parameter, Variable, precision
from dezero_core.errors import ArgumentError
from dezero_core.extend import kernel_log, ops, plugins
from dezero_nn import Layer, conv2d, get_conv_outsize, linear, optimizers, parallel
from dezero_nn.kernels import (
    all_kernels,
    columns,
    cross_entropy,
    filters,
    gelu,
    im2col,
    layer_norm,
    softmax,
    tiles,
    tiling,
    updates,
    winograd,
)
from dezero_nn.optimizers.updates import adam_op, clip_norm_op
from dezero_nn.windows import ConvParams

# tested below, or in test_attention.py: rules of optimizers, larger images
OTHERWISE = ("adam", "update", "clip_norm", "conv2d_grads", "attention_grad")
KERNELS = {k.function.__name__: k for k in all_kernels() if k.op not in OTHERWISE}
WINOGRAD = [name for name in KERNELS if name.startswith("winograd")]
small, sides = st.integers(1, 3), st.integers(1, 7)
pairs = st.tuples(small, small)
WINOGRAD_SHAPE = (3, 3), (1, 1), (1, 1), (1, 1), 1
"""The kernel size, stride, padding, dilation and groups of a convolution that Winograd computes."""


def numbers(draw: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """Draw an array of quarters with ties and both signs."""
    values = np.random.default_rng(draw(st.integers(0, 9))).integers(-8, 8, shape) / 4
    return values.astype(dtype)


@st.composite
def arguments(draw: Any, op: str, for_winograd: bool = False) -> tuple[Any, ...]:
    """Draw arguments of the op, with sizes in which a window fits."""
    dtype = "float32" if for_winograd else draw(st.sampled_from(["float32", "float64"]))
    N, C, OC, groups = draw(small), draw(small), draw(small), draw(small)
    size = draw(sides), draw(sides)
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    if not op.startswith("conv"):
        dilation, groups = (1, 1), 1
    beyond = 2 if op.startswith("conv") else -1  # windows that lie in the margin alone
    pad = tuple(draw(st.integers(0, k + beyond)) for k in kernel)
    counts = [get_conv_outsize(*n) for n in zip(size, kernel, stride, pad, dilation, strict=True)]
    assume(min(counts) > 0)
    if for_winograd:
        size, kernel, stride, pad, dilation, groups = (size[0] + 2, size[1] + 2), *WINOGRAD_SHAPE
        counts = [size[0], size[1]]
    params = ConvParams(stride, pad, dilation, groups)
    around, (size_h, _) = (kernel, stride, pad), size

    def some(*shape: int) -> Any:
        return numbers(draw, shape, dtype)

    def rows(length: int = 7) -> Any:
        return some(N, C, 90, length)

    def some_or_none(count: int, length: int) -> list[Any]:
        return [draw(st.sampled_from([None, some(length)])) for _ in range(count)]

    def x() -> Any:
        return some(N, C * groups, *size)

    def W() -> Any:
        return some(OC * groups, C, *kernel)

    def gy() -> Any:
        return some(N, OC * groups, *counts)

    def of_channel() -> Any:
        return some(C * groups)

    def places() -> Any:
        return (some(N, C, *counts) * 4).astype("int64") % (kernel[0] * kernel[1])

    def kept() -> Any:
        return some(N, C, OC, size_h + OC) > -1

    return {
        "attention": lambda: (
            *(some(N, C, OC, groups), some(N, C, size_h + OC, groups), some(N, C, size_h + OC, 2)),
            draw(st.sampled_from([None, some(OC, size_h + OC)])),
            *draw(st.sampled_from([(None, False, 0.5, 0.0), (kept(), True, 0.5, 0.25)])),
            False,
        ),
        "lstm": lambda: (
            some(N, C, OC),
            *(some(4 * size_h, n) for n in (C, size_h)),
            *(some(4 * size_h), some(size_h, OC), some(size_h, OC)),
        ),
        "lstm_grad": lambda: (
            *(some(N, size_h, OC), some(size_h, OC), np.tanh(some(N, 5, size_h, OC))),
            some(N, C, OC),
            *(some(4 * size_h, n) for n in (C, size_h)),
            *(some(4 * size_h), some(size_h, OC), some(size_h, OC)),
            draw(st.sampled_from([None, some(N, size_h, OC)])),
            draw(st.sampled_from([None, some(size_h, OC)])),
            draw(st.booleans()),
        ),
        "cross_entropy": lambda: (
            some(N * 99, C) * 10,
            np.arange(N * 99) % C,
            np.abs(some(N * 99)),
            draw(st.booleans()),
        ),
        "gru": lambda: (
            some(N, C, OC),
            *(some(3 * size_h, n) for n in (C, size_h)),
            *(some(3 * size_h), some(3 * size_h), some(size_h, OC)),
        ),
        "gru_grad": lambda: (
            *(some(N, size_h, OC), np.tanh(some(N, 4, size_h, OC)), some(N, C, OC)),
            *(some(3 * size_h, n) for n in (C, size_h)),
            *(some(3 * size_h), some(3 * size_h), some(size_h, OC), some(N, size_h, OC)),
            draw(st.booleans()),
        ),
        "layer_norm": lambda: (rows() + 9, *some_or_none(2, 7), 1, 0.1),
        "layer_norm_grad": lambda: (
            *(rows(), x_rows := rows() * 2 + draw(st.sampled_from([0, 9])), some_or_none(1, 7)[0]),
            *(x_rows.mean(-1, keepdims=True), 1 / (x_rows.std(-1, keepdims=True) + 1), 1),
        ),
        "rms_norm": lambda: (rows() + 9, *some_or_none(1, 7), 1, 0.1),
        "rms_norm_grad": lambda: (rows(), rows() + 3, *some_or_none(1, 7), np.abs(rows(1)), 1),
        "softmax_cross_entropy": lambda: (some(N * 99, C) * 10, np.arange(N * 99) % C),
        "softmax_cross_entropy_grad": lambda: (
            *(np.asarray(some()), some(N * 99, C) * 10),
            np.arange(N * 99)[:, None] % C,
        ),
        "sigmoid": lambda: (x() * 40,),
        "softmax": lambda: (rows() * draw(st.sampled_from([1, 100])), -1),
        "softmax_grad": lambda: (rows(), rows(), 3),
        "log_softmax": lambda: (rows() * draw(st.sampled_from([1, 100])), 3),
        "silu": lambda: (x() * 40, draw(st.booleans())),
        "gelu": lambda: (
            x() * 4,
            "tanh" if dtype == "float64" else draw(st.sampled_from(["none", "tanh"])),
            draw(st.booleans()),
        ),
        "matmul": lambda: (some(N, 700), some(700, 400)),
        "scaled_where": lambda: ((images := x()), images > 0, 1.25),
        "relu": lambda: (x(),),
        "batch_norm": lambda: (x(), of_channel(), of_channel(), 0.1),
        "channel_sums": lambda: (x(), x() + 1, of_channel()),
        "channel_sum_of": lambda: (x(), np.sign(x()), *[of_channel()] * 4),
        "relu_grad": lambda: (x(), x()),
        "conv2d": lambda: (x(), W(), draw(st.sampled_from([None, some(OC * groups)])), params),
        "conv2d_grad_x": lambda: (gy(), W(), (N, C * groups, *size), params),
        "conv2d_grad_W": lambda: (x(), gy(), kernel, params),
        "max_pool2d": lambda: (x(), *around),
        "max_pool2d_values": lambda: (x(), *around),
        "max_pool2d_grad": lambda: (
            *(some(N, C, *counts), places(), (N, C, *size)),
            *around,
        ),
    }[op]()


@pytest.fixture(autouse=True, scope="module")
def only_these_kernels() -> Iterator[None]:
    """Run this package's kernels, also where dezero-onednn is installed."""
    plugins.scan()
    distributions = [s.distribution for s in plugins.statuses() if s.name == "onednn"]
    for _ in distributions:
        plugins.unregister("onednn")
    yield
    for distribution in distributions:
        plugins.register(import_module("dezero_onednn.plugin"), "onednn", distribution)


@pytest.fixture(autouse=True)
def split_small_arrays(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Split even the smallest arrays over threads, and use kernels for large arrays on them."""
    if "norm_of_few" not in request.node.name:
        monkeypatch.setattr(layer_norm, "MIN_ELEMENTS", 0)
    monkeypatch.setattr(parallel, "MIN_PARALLEL_WORK", 0)
    monkeypatch.setattr(parallel, "MIN_PART_WORK", 1)
    parallel.start_workers(2)
    yield
    parallel._chosen = None


@pytest.mark.parametrize("name", sorted(KERNELS))
@settings(max_examples=12)
@given(data=st.data())
def test_a_kernel_equals_its_portable_definition(name: str, data: Any) -> None:
    check_kernel(name, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KERNELS))
@settings(max_examples=50)
@given(data=st.data())
def test_a_kernel_equals_its_portable_definition_in_more_cases(name: str, data: Any) -> None:
    check_kernel(name, data)


def check_kernel(name: str, data: Any) -> None:
    """Compare a kernel with the portable definition of its op, for drawn arguments."""
    kernel = KERNELS[name]
    portable = ops[kernel.op].portable
    parallel.set_num_threads(data.draw(st.sampled_from([1, 2, 3])))
    given_ = data.draw(arguments(kernel.op, name.startswith("winograd")))
    if data.draw(st.booleans()) and given_[0].ndim == 4:
        first = np.repeat(given_[0], 2, axis=3)[..., ::2]  # the same, not contiguous
        given_ = (first, *given_[1:])
    before = [x.copy() if isinstance(x, np.ndarray) else x for x in given_]
    assume(kernel.supports(*given_) is True)
    fewest = data.draw(st.sampled_from([0, 96]))  # images are shared out, or channels
    block = data.draw(st.sampled_from([columns.BLOCK, 500]))  # columns of images, or of rows
    with (
        patch.object(winograd, "MIN_TILES", fewest),
        patch.object(columns, "BLOCK", block),
        patch.object(cross_entropy, "BLOCK", block),
        patch.object(gelu, "BLOCK", block),
        patch.object(layer_norm, "BLOCK", block),
        patch.object(softmax, "BLOCK", block),
    ):
        got, expected = kernel.function(*given_), portable(*given_)
    pairs = zip(got, expected, strict=True) if isinstance(got, tuple) else [(got, expected)]
    for found, wanted in pairs:
        if found is wanted is None:
            continue
        assert found.shape == wanted.shape
        if wanted.dtype.kind == "f":
            assert found.dtype == wanted.dtype
        limit = kernel.tolerance * np.max(np.abs(wanted), initial=1e-30)
        assert np.max(np.abs(found - wanted), initial=0.0) <= limit
    for x, same in zip(given_, before, strict=True):
        assert np.array_equal(x, same) if isinstance(x, np.ndarray) else x == same


@pytest.mark.parametrize("name", sorted(set(KERNELS) - {*WINOGRAD, "attention_of_few"}))
def test_contiguous_arrays_of_both_precisions_are_supported(name: str) -> None:
    @settings(max_examples=10)
    @given(arguments(KERNELS[name].op))
    def supported(arguments: tuple[Any, ...]) -> None:
        assert KERNELS[name].supports(*arguments) is True

    supported()


@pytest.mark.parametrize("block", [1, 1600, 5000, 1 << 30], ids=["row", "rows", "images", "all"])
def test_the_block_size_does_not_change_results(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    x, W = draw.normal(size=(5, 2, 6, 7)), draw.normal(size=(3, 2, 3, 2))
    params = ConvParams((2, 1), (1, 1))
    gy = draw.normal(size=(5, 3, 3, 8))
    monkeypatch.setattr(columns, "BLOCK", block)
    for op, given_ in (
        ("conv2d", (x, W, None, params)),
        ("conv2d_grad_x", (gy, W, x.shape, params)),
        ("conv2d_grad_W", (x, gy, (3, 2), params)),
    ):
        kernel = KERNELS[f"im2col_{op}"]
        np.testing.assert_allclose(kernel.function(*given_), ops[op].portable(*given_))


sizes = st.integers(1, 19)


@pytest.mark.parametrize("m", [2, 4])
@given(st.integers(1, 4), small, small, st.tuples(sides, sizes), st.integers(0, 3),
       st.sampled_from([1, 1 << 14, 1 << 22]))  # fmt: skip
def test_winograd_computes_what_columns_do(
    m: int, N: int, C: int, OC: int, size: tuple[int, int], pad: int, block: int
) -> None:
    """Images of any size, also smaller than a tile; blocks of a row of tiles, and of all."""
    assume(min(size) + 2 * pad >= 3)
    draw = np.random.default_rng(N + C + OC)
    x = draw.standard_normal((N, C, *size), np.float32)
    W, b = draw.standard_normal((OC, C, 3, 3), np.float32), draw.standard_normal(OC, np.float32)
    params = ConvParams(pad=(pad, pad))
    y, gx = np.empty((N, OC, size[0] + 2 * pad - 2, size[1] + 2 * pad - 2), x.dtype), x.copy()
    with patch.object(tiling, "BLOCK", block), patch.object(tiling, "MIN_BLOCK", 1):
        U, again = tiles.transform_filters(W.swapaxes(0, 1), m), np.empty_like(x)
        tiles.convolve(x, tiles.transform_filters(W, m), b, pad, m, y)
        tiles.image_gradient(y, U, pad, m, gx)
        gW = tiles.filter_gradient(x, y, pad, m)
        assert np.array_equal(tiles.both_gradients(x, y, U, pad, m, again), gW)
        assert np.array_equal(again, gx)
    wanted_y = im2col.im2col_conv2d(x, W, b, params)
    wanted_gx = im2col.im2col_conv2d_grad_x(y, W, x.shape, params)
    wanted_gW = im2col.im2col_conv2d_grad_W(x, y, (3, 3), params)
    for got, wanted in ((y, wanted_y), (gx, wanted_gx), (gW, wanted_gW)):
        assert got.shape == wanted.shape and got.dtype == wanted.dtype
        assert np.max(np.abs(got - wanted)) <= 3e-5 * np.max(np.abs(wanted))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    ("images", "dtype", "algorithm"),
    [(8, "f", "winograd"), (8, "d", "im2col"), (1, "f", "separate")],
)
def test_both_gradients_at_once_equal_those_one_by_one(
    images: int, dtype: str, algorithm: str, count: int
) -> None:
    """Winograd computes float32, im2col float64; a single image splits for each gradient."""
    parallel.set_num_threads(count)
    draw = np.random.default_rng(0)
    x, gy = draw.standard_normal((2, images, 64, 56, 15)).astype(dtype)
    W, params = draw.standard_normal((64, 64, 3, 3)).astype(dtype), ConvParams(pad=(1, 1))
    op = ops["conv2d_grads"]
    with kernel_log() as ran:
        found = op(gy, x, W, params)
    assert ran[0].kernel == f"numpy:{algorithm}_conv2d_grads"
    for got, wanted in zip(found, op.portable(gy, x, W, params), strict=True):
        assert got.dtype == wanted.dtype
        assert np.max(np.abs(got - wanted)) <= 3e-5 * np.max(np.abs(wanted))


def test_exact_precision_sums_directly() -> None:
    """An inf affects only the windows that contain it; float64 is always exact."""
    x = np.ones((8, 64, 12, 12), "float32")
    x[0, 0, 5, 5] = np.inf
    W = np.ones((64, 64, 3, 3), "float32")
    with precision("exact"):
        exact = conv2d(x, W, pad=1).data
    with np.errstate(invalid="ignore"):
        fast = conv2d(x, W, pad=1).data
    assert np.isinf(exact[0, 0]).sum() == 9 and np.isfinite(exact[1:]).all()
    assert (~np.isfinite(fast[0, 0])).sum() > 9 and np.isfinite(fast[1:]).all()
    assert np.isinf(conv2d(x.astype("float64"), W.astype("float64"), pad=1).data).sum() == 9 * 64
    with pytest.raises(ArgumentError, match="'best' is none of 'exact', 'fast', 'float32', 'tf32'"):
        precision("best")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_inf_reaches_the_gradients_it_was_multiplied_with(dtype: str) -> None:
    x, gy = np.ones((2, 8, 6, 6), dtype), np.ones((2, 1, 4, 4), dtype)  # one filter: few
    x[0, 0, 0, 0] = np.inf
    arguments = x, gy, (3, 3), ConvParams()
    with precision("exact"):
        gW = ops["conv2d_grad_W"](*arguments)
    assert np.argwhere(~np.isfinite(gW)).tolist() == [[0, 0, 0, 0]]
    with np.errstate(invalid="ignore"):
        fast = ops["conv2d_grad_W"](*arguments)
    assert np.isnan(fast[0, 0]).any() == (dtype == "float32")
    assert np.isfinite(fast[0, 1:]).all()


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_matmul_multiplies_zeros_by_inf_and_nan(value: float) -> None:
    """Columns of zeros are not skipped: 0 * inf and 0 * nan are nan in every row."""
    x, W = np.ones((128, 400), "float32"), np.ones((400, 400), "float32")
    x[:, :100] = 0
    W[50] = value
    with np.errstate(invalid="ignore"):
        assert np.isnan(linear(x, W).data).all()


def test_max_pooling_picks_the_first_of_equal_maxima() -> None:
    """Every window of 2x2 that can be made of three numbers, side by side in one image."""
    windows = np.stack(np.meshgrid(*[np.arange(3.0)] * 4), axis=-1).reshape(-1, 2, 2)
    x = np.concatenate(windows, axis=1)[np.newaxis, np.newaxis].astype("float32")
    settings = (2, 2), (2, 2), (0, 0)
    y, index = KERNELS["max_pool2d"].function(x, *settings)
    wanted, place = ops["max_pool2d"].portable(x, *settings)
    assert np.array_equal(y, wanted) and np.array_equal(index, place)
    assert np.array_equal(KERNELS["max_pool2d_values"].function(x, *settings), wanted)


@pytest.mark.parametrize("mean", [0.0, 3.0, 1e3, -1e4])
def test_a_variance_keeps_its_digits_far_from_zero(mean: float) -> None:
    draw = np.random.default_rng(0)
    x = (mean + draw.standard_normal((8, 3, 40, 5))).astype("float32")
    ones, zeros = np.ones(3, "float32"), np.zeros(3, "float32")
    y, means, var = KERNELS["batch_norm"].function(x, ones, zeros, 0.0)
    exact = x.astype("float64")
    np.testing.assert_allclose(means, exact.mean((0, 2, 3)), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(var, exact.var((0, 2, 3)), rtol=1e-5)
    assert abs(y.mean()) < 1e-6 * (1 + abs(mean)) and abs(y.std() - 1) < 1e-5


def test_batch_normalisation_shows_infinities() -> None:
    x = np.ones((2, 2, 3), "float32")
    x[0, 0, 0] = np.inf
    with np.errstate(invalid="ignore"):
        y, mean, var = KERNELS["batch_norm"].function(x, *[np.ones(2, "float32")] * 2, 0.1)
    assert np.isinf(mean[0]) and np.isnan(var[0]) and np.isnan(y[:, 0]).any()
    assert np.isfinite(y[:, 1]).all()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [(40, 37), (24, 24), (9, 50)])
def test_a_single_image_is_split_over_its_rows(count: int, size: tuple[int, int]) -> None:
    parallel.set_num_threads(count)
    draw = np.random.default_rng(0)
    x, W = draw.standard_normal((1, 32, *size), "f"), draw.standard_normal((64, 32, 3, 3), "f")
    b, params = draw.standard_normal(64, "f"), ConvParams(pad=(1, 1))
    with patch.object(winograd, "tile_size", lambda *_: 4):
        y = winograd.winograd_conv2d(x, W, b, params)
    wanted = ops["conv2d"].portable(x, W, b, params)
    assert np.max(np.abs(y - wanted)) <= 3e-5 * np.max(np.abs(wanted))


def test_the_cache_of_filters_notices_changes_and_is_bounded() -> None:
    """A weight may change in place."""
    transform = winograd.transform_filters
    W = np.ones((2, 3, 3, 3), "f")
    first = filters.cached_transform(W, 4, transform)
    assert filters.cached_transform(W, 4, transform) is first
    W[0, 0, 0, 0] = -0.0
    assert np.array_equal(filters.cached_transform(W, 4, transform), transform(W, 4))
    assert filters.cached_transform(W, 2, transform).shape == (16, 2, 3)
    with patch.object(filters, "MAX_BYTES", first.nbytes):
        filters.cached_transform(W, 4, transform)
        assert sum(U.nbytes for _, U in filters._cache.values()) <= first.nbytes


def test_convolution_is_repeatable() -> None:
    x = np.random.default_rng(0).standard_normal((8, 32, 14, 14), np.float32)
    W = np.random.default_rng(1).standard_normal((48, 32, 3, 3), np.float32)
    assert len({conv2d(x, W, pad=1).data.tobytes() for _ in range(5)}) == 1


@pytest.mark.parametrize("piece", [1, 5, 1 << 14])
@pytest.mark.parametrize("name", [name for name in optimizers.__all__ if name[0] == "A"] + ["SGD"])
def test_updates_in_pieces_equal_updates_of_whole_parameters(
    name: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "PIECE", piece)
    whole, pieces = Layer(), Layer()
    for model in whole, pieces:
        model.p = Parameter(np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4))
        model.q = Parameter(np.ones((4, 3), "float32").T)  # not contiguous
    kind = getattr(optimizers, name)
    by_whole, by_pieces = kind().setup(whole), kind().setup(pieces)
    by_whole.elementwise = False
    for number in range(3):
        for model, optimizer in (whole, by_whole), (pieces, by_pieces):
            for param in model.params():
                param.grad = Variable(np.cos(number + param.data))
            optimizer.update()
    for p, q in zip(whole.params(), pieces.params(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)
        states = by_whole.param_states[p], by_pieces.param_states[q]
        assert states[0].keys() == states[1].keys()
        for a, b in zip(*[state.values() for state in states], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_has_the_bits_of_its_definition_and_writes_over_the_means(
    dtype: str, decay: float, layout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "BLOCK", 5)
    draw = np.random.default_rng(0)
    p, g, m, v = draw.random((4, 6, 4)).astype(dtype)
    g, settings = np.array(g, order=layout), (0.9, 0.999, 1e-8, 0.01, decay)
    wanted = adam_op.portable(p, g, m, v, *settings)
    for strided in (p.T, g.T, m.T, v.T), (p, g, m[:, ::-1], v):
        assert not updates.supports_adam(*strided, *settings)
    assert updates.supports_adam(p, g, m, v, *settings)
    got = adam_op(p, g, m, v, *settings)
    assert got[1] is m and got[2] is v
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == b.dtype and np.array_equal(a, b)


@pytest.mark.parametrize("block", [3, 1 << 16])
@pytest.mark.parametrize("max_norm", [1e-3, 2.0, 1e6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipped_gradients(
    block: int, max_norm: float, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "BLOCK", block)
    draw = np.random.default_rng(0)
    gs = [draw.normal(size=shape).astype(dtype) for shape in ((4, 3), (7,), (0,), ())]
    gs[0] = gs[0].T
    before = [g.copy() for g in gs]
    (got, norm), (wanted, expected) = (
        clip_norm_op(gs, max_norm),
        clip_norm_op.portable(gs, max_norm),
    )
    np.testing.assert_allclose(norm, expected, rtol=1e-6)
    for g, a, b, c in zip(gs, got, wanted, before, strict=True):
        assert a.dtype == dtype and a.shape == g.shape
        np.testing.assert_allclose(a, b, rtol=1e-6)
        assert np.array_equal(g, c), "written to"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_gradients_that_are_not_finite_are_clipped_alike(value: float) -> None:
    gs = [np.array([1.0, value])]
    with np.errstate(invalid="ignore"):
        (got, norm), (wanted, expected) = clip_norm_op(gs, 1.0), clip_norm_op.portable(gs, 1.0)
    np.testing.assert_array_equal([*got[0], norm], [*wanted[0], expected])


def test_a_users_rule_gets_whole_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    class ByNorm(optimizers.SGD):
        def delta(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
            return -g / np.linalg.norm(g)

    monkeypatch.setattr(updates, "PIECE", 1)
    model = Layer()
    model.p = Parameter(np.zeros(2))
    model.p.grad = Variable(np.array([3.0, 4.0]))
    ByNorm().setup(model).update()
    np.testing.assert_allclose(model.p.data, [-0.6, -0.8])


def test_relu_grad_keeps_or_drops_inf_and_nan() -> None:
    gy = np.array([np.inf, np.inf, -np.inf, np.nan], "float32")
    got = ops["relu_grad"](gy, np.array([1.0, -1.0, 2.0, 0.0], "float32"))
    assert got.tolist() == [np.inf, 0.0, -np.inf, 0.0]
