"""Compare convolutions by the stand-in for cuDNN with the portable definitions."""

from collections.abc import Callable, Iterator
from typing import Any

import cudnn
import cupy
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dezero_core import precision, using_config
from dezero_core.extend import get_backend, kernel_log, ops
from dezero_cuda import column_buffers, graphs, plans

nn = pytest.importorskip("dezero_nn", reason="the ops are dezero-nn's")
windows = pytest.importorskip("dezero_nn.windows")


@pytest.fixture(autouse=True)
def _plan_again() -> Iterator[None]:
    plans.build_plan.cache_clear()
    cudnn.executed.clear()
    yield
    cudnn.declines.clear()
    plans.build_plan.cache_clear()


def device(x: Any) -> Any:
    return get_backend("cuda").from_numpy(x)


def host(x: Any) -> Any:
    return get_backend("cuda").to_numpy(x)


def channels_last(x: np.ndarray) -> Any:
    """Return a device array in the memory order (N, H, W, C)."""
    return cupy.ndarray(np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2))


def is_channels_last(x: Any) -> bool:
    return bool(x.transpose(0, 2, 3, 1).flags.c_contiguous)


small = st.integers(1, 3)


@st.composite
def calls(draw: Any) -> dict[str, tuple[Any, ...]]:
    """Draw the arguments of the four ops for one convolution."""
    pairs = st.tuples(small, small)
    groups, N = draw(small), draw(small)
    C, OC = groups * draw(small), groups * draw(small)
    size, kernel = draw(st.tuples(*[st.integers(1, 7)] * 2)), draw(pairs)
    pad = draw(st.tuples(*[st.integers(0, 2)] * 2))
    params = windows.ConvParams(draw(pairs), pad, draw(pairs), groups)
    each = zip(size, kernel, *params[:3], strict=True)
    counts = [nn.get_conv_outsize(*axis) for axis in each]
    assume(min(counts) > 0)
    random = np.random.default_rng(draw(st.integers(0, 9)))

    def numbers(*shape: int) -> Any:
        return (random.integers(-9, 9, shape) / 4).astype("float32")

    x, W, b = numbers(N, C, *size), numbers(OC, C // groups, *kernel), numbers(OC)
    gy = numbers(N, OC, *counts)
    return {
        "conv2d": (x, W, draw(st.sampled_from([b, None])), params),
        "conv2d_grad_x": (gy, W, x.shape, params),
        "conv2d_grad_W": (x, gy, kernel, params),
        "conv2d_grads": (gy, x, W, params),
    }


def compare(op: str, arguments: tuple[Any, ...], put: Callable[..., Any], rtol: float) -> list[Any]:
    """Run an op on the device and compare it with the portable definition on NumPy."""
    there = [put(a) if getattr(a, "ndim", 0) == 4 else device(a) if isinstance(a, np.ndarray) else a
             for a in arguments]  # fmt: skip
    with kernel_log() as ran:
        got = ops[op](*there)
    assert ran[0].kernel == f"cuda:convolutions_{op}", ran
    expected = ops[op].portable(*arguments)
    if not isinstance(got, tuple):
        got, expected = (got,), (expected,)
    for found, wanted in zip(got, expected, strict=True):
        assert found.shape == wanted.shape and found.dtype == wanted.dtype
        np.testing.assert_allclose(host(found), wanted, rtol, 1e-4 if rtol < 1e-4 else 0.05)
    return list(got)


@settings(max_examples=20)
@given(calls(), st.sampled_from(["float32", "tf32"]), st.booleans())
def test_convolutions_equal_their_portable_definitions(
    drawn: dict[str, tuple[Any, ...]], name: str, last: bool
) -> None:
    with precision(name):
        for op, arguments in drawn.items():
            compare(op, arguments, channels_last if last else device, 1e-5)


def arguments(dtype: str = "float32") -> dict[str, tuple[Any, ...]]:
    """Return arguments of the four ops."""
    random = np.random.default_rng(0)
    x, W, gy = (
        random.standard_normal(shape).astype(dtype)
        for shape in ((2, 4, 6, 6), (8, 4, 3, 3), (2, 8, 6, 6))
    )
    params = windows.ConvParams(pad=(1, 1))
    return {
        "conv2d": (x, W, np.arange(8).astype(dtype), params),
        "conv2d_grad_x": (gy, W, x.shape, params),
        "conv2d_grad_W": (x, gy, (3, 3), params),
        "conv2d_grads": (gy, x, W, params),
    }


@pytest.mark.parametrize(("name", "last"), [("float32", False), ("tf32", True), ("bf16", True)])
def test_the_memory_order_depends_on_the_precision(name: str, last: bool) -> None:
    """Results keep the order, so only the first convolution of a network copies its input."""
    rtol = 0.05 if name == "bf16" else 1e-2
    with precision(name):
        (y,) = compare("conv2d", arguments()["conv2d"], device, rtol)
        gx, gW, _ = compare("conv2d_grads", arguments()["conv2d_grads"], device, rtol)
    assert cudnn.executed[0].io_data_type.name == ("BFLOAT16" if name == "bf16" else "FLOAT")
    assert is_channels_last(y) is is_channels_last(gx) is last
    assert gW.flags.c_contiguous


def test_one_kernel_convolves_and_adds_the_bias() -> None:
    x, W, b, params = arguments()["conv2d"]
    cupy._counts.clear()
    ops["conv2d"](device(x), device(W), device(b), params)
    assert cupy._counts["launches"] == 1
    x = channels_last(x)
    with precision("tf32"):
        cupy._counts.clear()
        ops["conv2d"](x, channels_last(W), device(b), params)
    assert cupy._counts["launches"] == 1


def test_plans_are_built_once_for_each_precision() -> None:
    for name in ("float32", "tf32", "float32", "tf32"):
        with precision(name):
            compare("conv2d", arguments()["conv2d"], device, 1e-2)
    graphs = list(dict.fromkeys(cudnn.executed))
    assert len(cudnn.executed) == 4 and len(graphs) == 2
    strict, fast = (graph.deselected for graph in graphs)
    assert {"TENSOR_CORE", "DOWN_CONVERT_INPUTS", "NONDETERMINISTIC"} <= strict
    assert "NONDETERMINISTIC" in fast and "TENSOR_CORE" not in fast
    with using_config("exact", True):
        compare("conv2d", arguments()["conv2d"], device, 1e-5)
    assert "WINOGRAD" in cudnn.executed[-1].deselected - strict


def test_a_bias_may_have_any_strides() -> None:
    x, W, b, params = arguments()["conv2d"]
    column = cupy.ndarray(np.stack([b, 0 * b], axis=1))[:, 0]
    y = ops["conv2d"](device(x), device(W), column, params)
    np.testing.assert_allclose(host(y), ops["conv2d"].portable(x, W, b, params), 1e-4, 1e-4)


def test_half_precision_is_summed_in_float32() -> None:
    compare("conv2d", arguments("float16")["conv2d"], device, 1e-2)
    assert cudnn.executed[0].compute_data_type is cudnn.data_type.FLOAT


def test_convolutions_can_be_captured() -> None:
    """A replay computes with the values that are at the captured addresses during the replay."""
    x, W, b, params = arguments()["conv2d"]
    images, filters, bias = device(x), device(W), device(b)
    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    with stream, cupy.cuda.using_allocator(pool.malloc):
        ops["conv2d"](images, filters, bias, params)
        stream.begin_capture()
        y = ops["conv2d"](images, filters, bias, params)
        graph = stream.end_capture()
    images[...] = 2 * images
    with stream:
        graph.launch()
    expected = ops["conv2d"].portable(2 * x, W, b, params)
    np.testing.assert_allclose(host(y), expected, 1e-4, 1e-4)


def test_without_a_fused_bias_the_bias_is_added_afterwards() -> None:
    cudnn.declines.append(lambda graph: "no bias" if len(graph.nodes) > 1 else "")
    (y,) = compare("conv2d", arguments()["conv2d"], device, 1e-5)
    assert len(cudnn.executed) == 1 and y.flags.c_contiguous


def test_without_an_engine_the_portable_definition_runs() -> None:
    cudnn.declines.append(lambda graph: "not today")
    for op, given_ in arguments().items():
        there = [device(a) if isinstance(a, np.ndarray) else a for a in given_]
        with kernel_log() as ran:
            got = ops[op](*there)
        log = {run.op: run for run in ran}[op]
        assert log.kernel == "portable"
        assert log.declined[0][1] == "cuDNN has no engine for this call: not today"
        first = got[0] if isinstance(got, tuple) else got
        wanted = ops[op].portable(*given_)
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
        np.testing.assert_allclose(host(first), wanted, 1e-4, 1e-4)


@pytest.mark.parametrize(("dtype", "N"), [("float64", 2), ("float32", 0)])
def test_other_arrays_are_left_to_the_portable_definition(dtype: str, N: int) -> None:
    x, W, b, params = arguments(dtype)["conv2d"]
    with kernel_log() as ran:
        y = ops["conv2d"](device(x[:N]), device(W), device(b), params)
    assert y.shape == (N, 8, 6, 6)
    log = {run.op: run for run in ran}["conv2d"]
    reason = "not all float32" if N else "empty"
    assert log.kernel == "portable" and reason in log.declined[0][1]


def test_cudnn_gets_shapes_in_one_order_and_strides_in_two() -> None:
    assert graphs.strides((2, 3, 4, 5), False) == [60, 20, 5, 1]
    assert graphs.strides((2, 3, 4, 5), True) == [60, 1, 15, 3]


def test_without_cudnn_the_batch_is_split_so_that_the_windows_take_little_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The windows of one image take 4 * 9 * 36 elements, which are 5184 bytes."""
    cudnn.declines.append(lambda graph: "not today")
    monkeypatch.setattr(column_buffers, "MAX_BYTES", 11_000)
    random, params = np.random.default_rng(0), windows.ConvParams(pad=(1, 1))
    x, W, gy, b = (
        random.standard_normal(shape).astype("float32")
        for shape in ((5, 4, 6, 6), (8, 4, 3, 3), (5, 8, 6, 6), (8,))
    )
    calls: dict[str, tuple[Any, ...]] = {
        "conv2d": (x, W, b, params),
        "conv2d_grad_x": (gy, W, x.shape, params),
        "conv2d_grad_W": (x, gy, (3, 3), params),
    }
    for op, call in calls.items():
        there = [device(a) if isinstance(a, np.ndarray) else a for a in call]
        with kernel_log() as ran:
            got = ops[op](*there)
        assert [run.kernel for run in ran if run.op == op] == [f"cuda:column_buffers_{op}"]
        assert len([run for run in ran if run.op in ("im2col", "col2im")]) == 3
        np.testing.assert_allclose(host(got), ops[op].portable(*call), 1e-4, 1e-4)
