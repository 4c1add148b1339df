"""Compare oneDNN's kernels with their portable definitions, for any thread count."""

import os
import subprocess
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dezero_core import Variable, grad, precision
from dezero_core.backends.kernels import all_kernels
from dezero_core.errors import PluginError, ShapeError, UnsupportedType
from dezero_core.extend import Kernel, kernel_log, ops
from dezero_nn import LSTM, conv2d, get_conv_outsize, parallel
from dezero_nn.windows import ConvParams, ConvShapes
from dezero_onednn import blocked, channels_last, conv_operations, convolution, library, recurrent
from dezero_onednn.conv_operations import Order
from dezero_onednn.pointers import has_layout
from dezero_testing.layouts import misaligned, read_only

KERNELS = [*blocked.KERNELS, *channels_last.KERNELS]
DENSE = (1, 1)


@pytest.fixture(autouse=True)
def split_small_arrays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Split even the smallest arrays over threads."""
    monkeypatch.setattr(parallel, "MIN_PARALLEL_WORK", 0)
    monkeypatch.setattr(parallel, "MIN_PART_WORK", 1)
    yield
    parallel._chosen = None


small, sides = st.integers(1, 3), st.integers(1, 9)
pairs = st.tuples(small, small)
channels = st.sampled_from([1, 2, 3, 8, 16, 19])


@st.composite
def arguments(draw: Any, op: str) -> tuple[Any, ...]:
    """Draw arguments of the op, with sizes in which a window fits."""
    N, C, OC, groups = draw(small), draw(channels), draw(channels), draw(small)
    size, kernel, stride, dilation = (
        draw(each) for each in (st.tuples(sides, sides), *[pairs] * 3)
    )
    pad = tuple(draw(st.integers(0, k)) for k in kernel)
    counts = [get_conv_outsize(*n) for n in zip(size, kernel, stride, pad, dilation, strict=True)]
    assume(min(counts) > 0)
    numbers = np.random.default_rng(draw(st.integers(0, 9)))
    x = numbers.standard_normal((N, C * groups, *size), np.float32)
    W = numbers.standard_normal((OC * groups, C, *kernel), np.float32)
    gy = numbers.standard_normal((N, OC * groups, *counts), np.float32)
    b = draw(st.sampled_from([None, numbers.standard_normal(OC * groups, np.float32)]))
    if draw(st.booleans()):  # the same, not contiguous
        x, W, gy = (np.repeat(array, 2, axis=3)[..., ::2] for array in (x, W, gy))
    params = ConvParams(stride, pad, dilation, groups)
    return {
        "conv2d": (x, W, b, params),
        "conv2d_grad_x": (gy, W, x.shape, params),
        "conv2d_grad_W": (x, gy, kernel, params),
        "conv2d_grads": (gy, x, W, params),
    }[op]


def sums_of_terms(op: str, given_: tuple[Any, ...]) -> Any:
    """Return the op's results for absolute values: the size of the terms that are summed."""
    return ops[op].portable(*[np.abs(x) if isinstance(x, np.ndarray) else x for x in given_])


def limit(wanted: Any, terms: Any) -> Any:
    """Return the tolerance: 1e-5 of the largest result, or four roundings of its terms."""
    rounding = 4 * np.finfo(np.float32).eps
    return max(1e-5 * np.max(np.abs(wanted)), rounding * np.max(terms))


def listed(result: Any) -> list[Any]:
    """Return the results of an op as a list."""
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.function.__name__)
@given(data=st.data())
def test_a_kernel_equals_its_portable_definition(kernel: Kernel, data: Any) -> None:
    op = kernel.op
    parallel.set_num_threads(data.draw(st.sampled_from([1, 2, 3])))
    given_ = data.draw(arguments(op))
    before = [x.copy() if isinstance(x, np.ndarray) else x for x in given_]
    block = data.draw(st.sampled_from([convolution.BLOCK, 1]))  # all images at once, or few
    with patch.object(convolution, "BLOCK", block):
        got, expected = kernel.function(*given_), ops[op].portable(*given_)
    results = got, expected, sums_of_terms(op, given_)
    for found, wanted, terms in zip(*map(listed, results), strict=True):
        assert found.shape == wanted.shape and found.dtype == wanted.dtype
        assert np.max(np.abs(found - wanted)) <= limit(wanted, terms)
    for x, same in zip(given_, before, strict=True):
        assert np.array_equal(x, same) if isinstance(x, np.ndarray) else x == same


@st.composite
def sequences(draw: Any) -> tuple[Any, ...]:
    """Draw the inputs of `lstm`, in the layout of the layers or in C order."""
    T, N, C, H = (draw(st.integers(1, most)) for most in (4, 5, 18, 18))
    numbers = np.random.default_rng(draw(st.integers(0, 9)))
    shapes = (T, N, C), (C, 4 * H), (H, 4 * H), (4 * H,), (N, H), (N, H)
    x, Wx, Wh, b, h, c = (numbers.standard_normal(shape, np.float32) for shape in shapes)
    arrays = x.transpose(0, 2, 1), Wx.T, Wh.T, b, h.T, c.T
    return arrays if draw(st.booleans()) else tuple(map(np.ascontiguousarray, arrays))


@given(sequences(), st.data())
def test_an_lstm_equals_its_portable_definition(arrays: Any, data: Any) -> None:
    counts = st.sampled_from([1, 2, 3])
    parallel.set_num_threads(data.draw(counts))
    got = hs, c, _ = recurrent.onednn_lstm(*arrays)
    wanted = ops["lstm"].portable(*arrays)
    parallel.set_num_threads(data.draw(counts))  # another number than for the sequence
    ghs = data.draw(st.sampled_from([None, np.cos(hs)]))
    gc = np.sin(c) if ghs is None else data.draw(st.sampled_from([None, np.sin(c)]))
    after = *arrays, ghs, gc, True
    assert recurrent.supports_lstm_grad(*got, *after)
    assert not recurrent.supports_lstm_grad(*wanted, *after)
    first, second = (recurrent.onednn_lstm_grad(*got, *after) for _ in range(2))
    expected = ops["lstm_grad"].portable(*wanted, *after)
    pairs = zip((*got[:2], *first), (*wanted[:2], *expected), strict=True)
    for found, right in pairs:
        assert found.shape == right.shape and found.dtype == right.dtype
        assert np.max(np.abs(found - right)) <= 1e-5 * np.max(np.abs(right), initial=1)
    assert all(map(np.array_equal, first, second))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inf_and_nan_pass_through_an_lstm_as_in_numpy(value: float) -> None:
    parallel.set_num_threads(1)
    shapes = (3, 2, 2), (8, 2), (8, 2), (8,), (2, 2), (2, 2)
    numbers = np.random.default_rng(0)
    x, *others = (numbers.standard_normal(shape, np.float32) for shape in shapes)
    x[1, 0, 0] = value
    with np.errstate(invalid="ignore"):
        found = recurrent.onednn_lstm(x, *others)
        wanted = ops["lstm"].portable(x, *others)
        after = x, *others, np.ones_like(wanted[0]), None, True
        gradients = recurrent.onednn_lstm_grad(*found, *after)
        expected = ops["lstm_grad"].portable(*wanted, *after)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    for ours, right in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-4, atol=1e-5)


def test_the_lstm_layer_uses_onednn() -> None:
    layer, x = LSTM(3), Variable(np.ones((2, 4, 5), F4))
    with kernel_log() as ran:
        y = layer(x)
        gx = grad(y, x, create_graph=True)
        ggx = grad(gx, x)
    names = [run.kernel for run in ran if run.op.startswith("lstm")]
    ours = ["numpy:onednn_lstm", "numpy:onednn_lstm_grad"]
    assert names[:2] == ours and set(names) == set(ours) and ggx.shape == x.shape
    layer.reset_state()
    layer(x).backward()
    assert np.array_equal(x.grad.data, gx.data)


F4 = "float32"


def test_unsupported_convolutions_are_declined() -> None:
    x, W = np.ones((1, 16, 40, 40), F4), np.ones((16, 16, 5, 5), F4)
    params = ConvParams(pad=(1, 1))
    for forward, *_, gradients in (blocked.KERNELS, channels_last.KERNELS):
        assert forward.supports(x, W, None, params) is True
        for dtype in ("float64", "float16", ">f4", "int32"):
            assert "dtype" in forward.supports(x.astype(dtype), W.astype(dtype), None, params)
        assert "dtypes" in forward.supports(x, W.astype("float64"), None, params)
        assert "empty" in forward.supports(x[:0], W, None, params)
        assert "a single image" in gradients.supports(x, x, W, params)


B, L = "onednn_blocked", "onednn_channels_last"
M, G = "im2col", "winograd"
CHEAPEST = [
    # shape of x, of W, stride, groups; the output, gradient of x and of W
    ((64, 64, 5, 5), (64, 64, 3, 3), 1, 1, (B, B, B)),  # small images
    ((32, 32, 28, 28), (64, 32, 5, 5), 1, 1, (B, B, B)),
    ((16, 64, 56, 56), (128, 64, 3, 3), 2, 1, (B, B, B)),
    ((16, 128, 28, 28), (128, 1, 3, 3), 1, 128, (B, B, B)),  # depthwise
    ((16, 64, 28, 28), (64, 1, 5, 5), 1, 64, (B, B, M)),
    ((6, 4, 170, 85), (4, 1, 3, 3), 1, 4, (L, L, L)),  # few channels
    ((53, 2, 45, 30), (2, 1, 3, 3), 1, 2, (M, M, M)),
    ((16, 64, 56, 56), (128, 64, 1, 1), 1, 1, (B, B, M)),
    ((64, 16, 32, 32), (16, 16, 1, 1), 1, 1, (B, B, M)),
    ((64, 1, 28, 28), (32, 1, 3, 3), 1, 1, (B, M, B)),  # a first layer
    ((1, 4, 5, 5), (4, 4, 3, 3), 1, 1, (M, M, M)),  # too small for a call
    ((8, 128, 28, 28), (128, 128, 3, 3), 1, 1, (G, G, G)),
    ((30, 109, 34, 34), (2, 109, 5, 5), 1, 1, (M, M, M)),  # few filters
    ((16, 64, 28, 28), (64, 16, 3, 3), 1, 4, (B, B, B)),  # groups of 16 channels, and of 9
    ((15, 204, 6, 12), (36, 51, 3, 3), 1, 4, (L, L, M)),
]


def algorithms(x: Any, W: Any, params: ConvParams) -> tuple[str, ...]:
    """Return which algorithm computes the output, the gradient of x and that of W."""
    x, W = np.empty(x, F4), np.empty(W, F4)
    gy = np.empty((len(x), len(W), *ConvShapes(x.shape, W.shape, params).counts), F4)
    found = []
    for op, arguments in {
        "conv2d": (x, W, None, params),
        "conv2d_grad_x": (gy, W, x.shape, params),
        "conv2d_grad_W": (x, gy, W.shape[2:], params),
    }.items():
        kernels = [k for k, _ in all_kernels() if (k.op, k.backend) == (op, "numpy")]
        supported = [kernel for kernel in kernels if kernel.supports(*arguments) is True]
        best = min(supported, key=lambda kernel: kernel.cost(*arguments))
        found.append(best.function.__name__.removesuffix(f"_{op}"))
    return tuple(found)


@pytest.mark.parametrize(("x", "W", "stride", "groups", "expected"), CHEAPEST)
def test_the_cheapest_algorithm(x: Any, W: Any, stride: int, groups: int, expected: Any) -> None:
    params = ConvParams((stride, stride), (W[2] // 2, W[2] // 2), DENSE, groups)
    assert algorithms(x, W, params) == expected


def test_an_earlier_choice_does_not_hold_for_exact_precision() -> None:
    shapes = (8, 128, 28, 28), (128, 128, 3, 3), ConvParams(pad=DENSE)
    assert algorithms(*shapes) == (G, G, G)
    with precision("exact"):
        assert algorithms(*shapes) == (B, B, B)
    assert algorithms(*shapes) == (G, G, G)


def test_conv2d_uses_onednn_by_default() -> None:
    x, W = Variable(np.ones((2, 16, 40, 40), F4)), Variable(np.ones((16, 16, 5, 5), F4))
    with kernel_log() as ran:
        y = conv2d(x, W)
        y.backward()
    names = [run.kernel for run in ran if run.op != "channel_sum"]
    assert names == ["numpy:onednn_blocked_conv2d", "numpy:onednn_blocked_conv2d_grads"]
    assert float(y.data[0, 0, 0, 0]) == 16 * 25


def test_one_thread_restores_the_thread_count_of_openmp() -> None:
    found = library.library()
    before = found.omp_get_max_threads()
    found.omp_set_num_threads(3)
    try:
        with library.one_thread():
            assert found.omp_get_max_threads() == 1
        assert found.omp_get_max_threads() == 3
        with pytest.raises(KeyError), library.one_thread():
            raise KeyError
        assert found.omp_get_max_threads() == 3
    finally:
        found.omp_set_num_threads(before)


def test_the_cache_of_operations_is_bounded() -> None:
    x, W = np.ones((1, 16, 40, 40), F4), np.ones((16, 16, 5, 5), F4)
    for side in range(6, 40):
        blocked.KERNELS[0].function(x[:, :, :side, :side], W, None, ConvParams(pad=(1, 1)))
    assert conv_operations.forward.made.cache_info().maxsize == 256


def test_an_error_status_of_onednn_raises() -> None:
    with pytest.raises(RuntimeError, match="oneDNN: engine_create: invalid arguments"):
        library.Handle("engine", "engine_create", 1, 99)


LIBRARIES = {
    "/nowhere/libdnnl.so": "oneDNN could not be loaded: /nowhere/libdnnl.so",
    find_library(
        "m"
    ): "has no dnnl_memory_desc_create_with_strides: expected oneDNN 3 built for OpenMP",
}


@pytest.mark.parametrize(("path", "message"), LIBRARIES.items())
def test_a_wrong_library_is_named_in_the_error(
    path: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "path", lambda: path)
    with pytest.raises(PluginError, match=message):
        library.library.__wrapped__()


def test_a_missing_library_raises_with_an_install_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "WHEEL", "no-such-wheel")
    monkeypatch.setattr(library, "find_library", lambda name: None)
    monkeypatch.delenv("DEZERO_ONEDNN", raising=False)
    with pytest.raises(PluginError, match="pip install no-such-wheel, or set DEZERO_ONEDNN"):
        library.path.__wrapped__()
    monkeypatch.setattr(library, "find_library", lambda name: "libdnnl.so.3")
    assert library.path.__wrapped__() == "libdnnl.so.3"
    monkeypatch.setenv("DEZERO_ONEDNN", "/mine.so")
    assert library.path.__wrapped__() == "/mine.so"


PROGRAM = """
import numpy as np, os
from dezero_core.extend import kernel_log, plugins
from dezero_nn import conv2d
x, W = np.ones((2, 16, 40, 40), "f"), np.ones((16, 16, 5, 5), "f")
with kernel_log() as ran:
    y = conv2d(x, W).data[0, 0, 0, 0]
if hasattr(os, "fork") and os.fork() == 0:
    os._exit(int(conv2d(x, W).data[1, 1, 1, 1] != 400))
print(ran[0][1], y, os.WEXITSTATUS(os.wait()[1]))
"""


@pytest.mark.parametrize(
    ("value", "kernel"), [(None, "onednn_blocked_conv2d"), ("off", "im2col_conv2d")]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_environment_turns_it_off_and_a_fork_works(value: str | None, kernel: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "DEZERO_ONEDNN"}
    environment |= {"DEZERO_NUM_THREADS": "2"} | ({"DEZERO_ONEDNN": value} if value else {})
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"numpy:{kernel} 400.0 0\n", done.stderr


AFTER_A_FORK = """
import os, numpy as np
from dezero_core import Variable
from dezero_nn import LSTM, conv2d

def compute(T, N):
    layer, x = LSTM(128, in_size=64), Variable(np.ones((T, N, 64), "f"))
    layer(x).backward()
    x, W = Variable(np.ones((2, 16, N, N), "f")), Variable(np.ones((16, 16, 5, 5), "f"))
    conv2d(x, W).backward()
    conv2d(x, Variable(np.ones((16, 1, 3, 3), "f")), groups=16).backward()
    (Variable(np.ones((300, 300), "f")) @ Variable(np.ones((300, 300), "f"))).backward()

compute(3, 32)
children = []
for sizes in ((3, 32), (4, 40)):
    if (child := os.fork()) == 0:
        compute(*sizes)
        os._exit(0)
    children.append(os.waitpid(child, 0)[1])
print(children)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("count", [1, 2])
def test_a_forked_child_does_not_hang(count: int) -> None:
    """A forked child computes known and new shapes without waiting for threads of OpenMP."""
    environment = os.environ | {"OMP_NUM_THREADS": "2", "DEZERO_NUM_THREADS": str(count)}
    environment.pop("DEZERO_ONEDNN", None)
    command = [sys.executable, "-W", "ignore", "-c", AFTER_A_FORK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert done.stdout == "[0, 0]\n", done.stderr


LAYOUTS = {
    "byte-swapped": lambda x: x.astype(">f4"),
    "misaligned": misaligned,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
    "read-only": read_only,
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "float64": lambda x: x.astype("float64"),
}


def calls() -> dict[str, tuple[Any, ...]]:
    """Return arguments of every op that oneDNN computes, in sizes for which it is chosen."""
    draw = np.random.default_rng(0).standard_normal
    x, W, b = draw((2, 16, 40, 40), F4), draw((16, 16, 5, 5), F4), draw(16, F4)
    gy, params = draw((2, 16, 36, 36), F4), ConvParams()
    steps = [draw(n, F4) for n in ((3, 6, 5), (16, 6), (16, 4), (16,), (4, 5), (4, 5))]
    return {
        "conv2d": (x, W, b, params),
        "conv2d_grad_x": (gy, W, x.shape, params),
        "conv2d_grad_W": (x, gy, (5, 5), params),
        "conv2d_grads": (gy, x, W, params),
        "lstm": tuple(steps),
    }


def close(got: Any, wanted: Any, name: str) -> None:
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape
        assert np.max(np.abs(a - b)) <= 1e-4 * np.max(np.abs(b)), name


@pytest.mark.parametrize("op", calls())
def test_array_layouts_do_not_change_results(op: str) -> None:
    """oneDNN gets copies that it can read, or NumPy computes: nothing is misread."""
    parallel.set_num_threads(1)
    arguments = calls()[op]
    with kernel_log() as ran:
        ops[op](*arguments)
    assert ran[0][1].startswith("numpy:onednn"), "it is chosen"
    for position, argument in enumerate(arguments):
        for name, layout in LAYOUTS.items() if isinstance(argument, np.ndarray) else ():
            changed = layout(argument)
            given_ = [*arguments[:position], changed, *arguments[position + 1 :]]
            plain = [a.astype(F4).copy() if isinstance(a, np.ndarray) else a for a in given_]
            found, wanted = ops[op](*given_), ops[op].portable(*plain)
            last = -1 if op == "lstm" else None  # without the workspace
            close(listed(found)[:last], listed(wanted)[:last], f"{op} {position} {name}")
            if op == "lstm":
                ghs = layout(np.cos(found[0]))
                got = ops["lstm_grad"](*found, *given_, ghs, None, True)
                rest = *plain, np.array(ghs, F4), None, True
                close(got, ops["lstm_grad"].portable(*wanted, *rest), f"{position} {name}")


def test_wrong_arrays_never_reach_onednn() -> None:
    """Every slot of every primitive refuses an array that does not fit."""
    x, W, y = np.ones((2, 16, 9, 9), F4), np.ones((16, 16, 1, 1), F4), np.ones((2, 16, 9, 9), F4)
    shapes = ConvShapes(x.shape, W.shape, ConvParams())
    operation = conv_operations.forward(shapes, Order.BLOCKED, True)
    right = y, x, W, np.ones(16, F4)
    operation([y], *right[1:])
    wrong = [*LAYOUTS.values(), lambda a: a[:-1], lambda a: a[None], lambda a: a[:0], np.sum]
    for position in range(4):
        for spoil in wrong:
            changed = np.asarray(spoil(right[position]))
            if has_layout(changed, F4, right[position].shape, writable=position == 0):
                continue  # e.g. a read-only input
            y, *inputs = [*right[:position], changed, *right[position + 1 :]]
            with pytest.raises((ShapeError, UnsupportedType), match="address_of: got"):
                operation([y], *inputs)
    with pytest.raises(ValueError, match="argument"):
        operation.primitive(x)


def test_mismatched_lstm_sizes_are_declined_or_raise() -> None:
    arguments = calls()["lstm"]
    parallel.set_num_threads(1)
    for position in range(6):
        short = arguments[position][..., :-1]
        given_ = [*arguments[:position], short, *arguments[position + 1 :]]
        assert not recurrent.supports_lstm(*given_)
    assert recurrent.supports_lstm(*arguments)
    found = recurrent.onednn_lstm(*arguments)
    with pytest.raises(ShapeError, match=r"gc has shape \(4,\); expected \(4, 5\)"):
        recurrent.onednn_lstm_grad(*found, *arguments, None, np.ones(4, F4), True)
    for workspace in (found[2][:, :-64], found[2].astype(F4)):
        with pytest.raises((ShapeError, UnsupportedType)):
            recurrent.onednn_lstm_grad(
                *found[:2], workspace, *arguments, np.ones_like(found[0]), None, True
            )


def test_a_missing_library_warns_and_numpy_computes() -> None:
    environment = os.environ | {"DEZERO_ONEDNN": "/nowhere/libdnnl.so"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "numpy:im2col_conv2d 400.0 0\n", done.stderr
    assert "oneDNN could not be loaded" in done.stderr and "onednn" in done.stderr
