"""Compare CUDA kernels with the portable definitions; compile them for host and device."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import cupy
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dezero_core import Parameter, Variable
from dezero_core.backends.kernels import kernels_for
from dezero_core.extend import get_backend, kernel_log, ops
from dezero_cuda.kernels import all_kernels, fused, module, random, rounding
from dezero_cuda.kernels.sources import C_TYPES, FAMILIES, families, source
from dezero_cuda.plugin import dezero_kernels

SOURCES = Path(__file__).parent.parent / "src" / "dezero_cuda" / "kernels"
nn = pytest.importorskip("dezero_nn", reason="the ops are dezero-nn's")
OF_LISTS = {"update", "sgd", "momentum_sgd", "adam_update", "clip_norm"}
"""The ops that take lists of arrays; other tests check their kernels."""
KERNELS = {kernel.op: kernel for kernel in all_kernels() if kernel.op not in OF_LISTS}
small = st.integers(1, 3)


@cache
def compiled_for_the_host(letter: str) -> ctypes.CDLL:
    """Compile all kernels for the host with a C++ compiler; see ``cuda_on_host.h``."""
    folder = Path(mkdtemp())
    names = ["common.cuh", *[f"{family}.cu" for family in FAMILIES]]
    texts = [(SOURCES / name).read_text("utf-8") for name in names]
    texts += [f"ON_HOST({name})" for name in families()]
    texts += [
        'extern "C" void philox_of(unsigned* words) {',
        "    Four c = {{words[0], words[1], words[2], words[3]}};",
        "    c = philox(c, words[4], words[5]);",
        "    memcpy(words, c.v, sizeof c.v);",
        "}",
    ]
    (folder / "kernels.cpp").write_text("\n".join(texts))
    command = ["g++", "-O0", "-std=c++17", "-shared", "-fPIC", f"-DSCALAR={C_TYPES[letter]}"]
    command += ["-include", str(Path(__file__).parent / "cuda_on_host.h")]
    target = str(folder / "kernels.so")
    subprocess.run([*command, str(folder / "kernels.cpp"), "-o", target], check=True)
    return ctypes.CDLL(target)


class HostModule:
    """A replacement for `cupy.RawModule` that runs the kernels that are compiled for the host."""

    def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
        scalar = code.partition("\n")[0].removeprefix("#define SCALAR ")
        (self.letter,) = [letter for letter, name in C_TYPES.items() if name == scalar]

    def get_function(self, name: str) -> Any:
        run = getattr(compiled_for_the_host(self.letter), f"on_host_{name}")

        def launch(grid: tuple[int, ...], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            assert all(grid) and block[0] % 32 == 0
            holders = [as_argument(a) for a in arguments]
            pointers = [h.ctypes.data_as(ctypes.c_void_p) for h in holders]
            x, y = (*grid, 1)[:2]
            diverged = run((ctypes.c_void_p * len(pointers))(*pointers), x, y, block[0])
            assert not diverged, f"{name}: threads of a block reached different barriers"

        return launch


def as_argument(value: Any) -> np.ndarray:
    """Return an argument of a kernel as an array: a pointer, a number, or a struct."""
    if isinstance(value, cupy.ndarray):
        return np.array(value._host.ctypes.data, np.uint64)
    assert isinstance(value, np.generic | np.ndarray), f"{type(value).__name__} has no fixed size"
    return np.asarray(value)


@pytest.fixture
def on_the_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let launches run the kernels compiled for the host, not those of the stand-in."""
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler (g++) on this machine")
    monkeypatch.setattr(cupy, "RawModule", HostModule)
    for cached in (module.compiled, module.function):
        cached.cache_clear()
    yield
    for cached in (module.compiled, module.function):
        cached.cache_clear()


def channels_last(x: np.ndarray) -> np.ndarray:
    """Return images (N, C, H, W) whose channels are innermost in memory."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def transposed(x: np.ndarray) -> np.ndarray:
    """Return an array whose first axis is innermost in memory."""
    return np.asfortranarray(x)


ORDERS = [np.ascontiguousarray, channels_last, transposed]


@st.composite
def arguments(draw: Any, op: str) -> tuple[Any, ...]:
    """Draw arguments of the op as host arrays, with sizes in which windows fit."""
    pairs = st.tuples(small, small)
    N, C, size = draw(st.integers(0, 2)), draw(small), draw(st.tuples(*[st.integers(1, 7)] * 2))
    kernel, stride = draw(pairs), draw(pairs)
    dilation = draw(pairs) if "col" in op else (1, 1)
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    counts = [
        nn.get_conv_outsize(*axis) for axis in zip(size, kernel, stride, pad, dilation, strict=True)
    ]
    assume(min(counts) > 0)
    dtype = draw(st.sampled_from(["float32", "float64"]))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    order, other = draw(st.sampled_from(ORDERS)), draw(st.sampled_from(ORDERS))

    def numbers(*shape: int) -> Any:
        return (random.integers(-9, 9, shape) / 4).astype(dtype)

    x, g = order(numbers(N, C, *size)), other(numbers(N, C, *counts))
    y, mask = other(numbers(*x.shape)), other(x > 0)
    wide = draw(st.sampled_from([1, 2, 3, 33, 600]))
    rows, other_rows = numbers(N + 1, wide), numbers(N + 1, wide)
    labels = random.integers(0, wide, (N + 1,))
    scale = random.integers(0, 3, N + 1).astype(dtype)
    gamma, beta = (draw(st.sampled_from([None, numbers(wide)])) for _ in range(2))
    index = random.integers(0, kernel[0] * kernel[1], g.shape)
    mean, inverse = numbers(N + 1, 1), abs(numbers(N + 1, 1)) + 0.5
    channels, H = numbers(C), size[0]
    states = [numbers(H, C), numbers(H, C)]
    T, D = kernel
    sequence, gates = numbers(T, D, C), 3 if "gru" in op else 4
    weights = [numbers(gates * H, D), numbers(gates * H, H)]
    weights += [numbers(gates * H)] * (2 if "gru" in op else 1)
    gelu = draw(st.sampled_from(["none", "tanh"])), draw(st.booleans())
    S = draw(st.sampled_from([1, 4, 600]))
    heads = draw(st.sampled_from([(), (2,), (N + 1, 2)]))
    q, k, v = numbers(*heads, D, 3), numbers(*heads, S, 3), numbers(*heads, S, 2)
    masks = [None, numbers(D, S), numbers(*heads[:1], *[1] * len(heads), S)]
    score_mask = draw(st.sampled_from(masks))
    keep = draw(st.sampled_from([None, random.integers(0, 2, (*heads, D, S)) > 0]))
    attention = keep, draw(st.booleans()), 0.5, 0.25
    optional = draw(st.sampled_from([None, numbers(T, H, C)]))
    return {
        "sigmoid": lambda: (20 * x,),
        "relu": lambda: (x,),
        "gelu": lambda: (20 * x, *gelu),
        "silu": lambda: (20 * x, gelu[1]),
        "sigmoid_grad": lambda: (x, y),
        "tanh_grad": lambda: (x, y),
        "scaled_where": lambda: (x, mask, 1.25),
        "add_relu": lambda: (x, y),
        "relu_grad": lambda: (x, y),
        "softmax": lambda: (20 * rows, 1),
        "log_softmax": lambda: (20 * rows, -1),
        "softmax_grad": lambda: (rows, other_rows, 1),
        "cross_entropy": lambda: (20 * rows, labels, scale, gelu[1]),
        "softmax_cross_entropy": lambda: (20 * rows, labels.astype("int32")),
        "softmax_cross_entropy_grad": lambda: (np.array(0.5, dtype), rows, labels[:, None]),
        "layer_norm": lambda: (rows, gamma, beta, 1, 1e-3),
        "rms_norm": lambda: (rows, gamma, 1, 1e-3),
        "layer_norm_grad": lambda: (rows, other_rows, gamma, mean, inverse, 1),
        "rms_norm_grad": lambda: (rows, other_rows, gamma, inverse, 1),
        "batch_norm": lambda: (order(numbers(N + 1, C, *size)), channels, channels + 1, 1e-3),
        "channel_sum": lambda: (x,),
        "channel_sums": lambda: (y, x, channels),
        "channel_sum_of": lambda: (y, x, channels, *[channels + n for n in range(3)]),
        "im2col": lambda: (x, kernel, stride, pad, dilation, [0.0, -np.inf][N % 2]),
        "col2im": lambda: (numbers(N, C, *kernel, *counts), x.shape, stride, pad, dilation),
        "max_pool2d": lambda: (x, kernel, stride, pad),
        "max_pool2d_values": lambda: (x, kernel, stride, pad),
        "average_pool2d": lambda: (x, kernel, stride, pad),
        "average_pool2d_grad": lambda: (g, x.shape, kernel, stride, pad),
        "max_pool2d_grad": lambda: (g, index, x.shape, kernel, stride, pad),
        "attention": lambda: (q, k, v, score_mask, *attention, gelu[1]),
        "attention_grad": lambda: (
            numbers(*heads, D, 2),
            *ops["attention"].portable(q, k, v, score_mask, *attention, True), q, k, v, *attention,
        ),
        "lstm": lambda: (sequence, *weights, *states),
        "gru": lambda: (sequence, *weights, states[0]),
        "lstm_grad": lambda: (
            *ops["lstm"].portable(sequence, *weights, *states), sequence, *weights, *states,
            optional, None if optional is None else states[1], gelu[1],
        ),
        "gru_grad": lambda: (
            *ops["gru"].portable(sequence, *weights, states[0]), sequence, *weights, states[0],
            numbers(T, H, C), gelu[1],
        ),
    }[op]()  # fmt: skip


def compare(op: str, given_: tuple[Any, ...]) -> None:
    """Compare the results of the kernel with those of the portable definition on NumPy."""
    library = get_backend("cuda")
    device = [library.from_numpy(a) if isinstance(a, np.ndarray) else a for a in given_]
    assert KERNELS[op].supports(*device)
    got, expected = KERNELS[op].function(*device), ops[op].portable(*given_)
    if not isinstance(got, tuple):
        got, expected = (got,), (expected,)
    for found, wanted in zip(got, expected, strict=True):
        if wanted is None:
            assert found is None
            continue
        assert found.shape == wanted.shape
        assert (found.dtype.kind == "f") == (wanted.dtype.kind == "f")
        np.testing.assert_allclose(library.to_numpy(found), wanted, rtol=1e-5, atol=2e-6)


examples = pytest.mark.parametrize("examples", [5, pytest.param(30, marks=pytest.mark.slow)])
"""Draw this number of random arguments for each op: 5 in a quick test, 30 in a slow test."""


@examples
@pytest.mark.parametrize("op", sorted(KERNELS))
def test_a_cuda_kernel_equals_its_portable_definition(op: str, examples: int) -> None:
    @settings(max_examples=examples)
    @given(arguments(op))
    def run(given_: tuple[Any, ...]) -> None:
        compare(op, given_)

    run()


def test_a_residual_block_ends_with_one_launch_that_keeps_channels_last() -> None:
    from dezero_nn.functions.activation import add_relu

    a, b = [channels_last(np.arange(-30.0, 30.0).reshape(2, 3, 2, 5) + k) for k in range(2)]
    x0, x1 = [Variable(get_backend("cuda").from_numpy(x)) for x in (a, b)]
    x0.requires_grad = True
    cupy._counts.clear()
    y = add_relu(x0, x1)
    assert cupy._counts["launches"] == 1
    y.backward(gradient=y.data)
    assert x0.grad is not None
    for x in (y.data, x0.grad.data):
        assert x.strides == x0.data.strides and (x.get() == np.maximum(a + b, 0)).all()


ONE = np.array(0.75, "float32")
WITHOUT_AXES = {
    "sigmoid": (ONE,),
    "relu": (ONE,),
    "add_relu": (ONE, ONE),
    "sigmoid_grad": (ONE, ONE),
    "tanh_grad": (ONE, ONE),
    "relu_grad": (ONE, ONE),
    "scaled_where": (ONE, np.array(True), 1.25),
}


@pytest.mark.parametrize("op", WITHOUT_AXES)
def test_a_0d_array_stays_0d(op: str) -> None:
    """``cupy.ascontiguousarray`` changes the shape of a 0-d array to (1,)."""
    compare(op, WITHOUT_AXES[op])


LONG = {"attention", "attention_grad", "gru_grad", "lstm_grad"}
"""Ops whose kernels take more than 0.4 s to run on the host."""


@examples
@pytest.mark.parametrize(
    "op",
    [pytest.param(op, marks=[pytest.mark.slow] if op in LONG else []) for op in sorted(KERNELS)],
)
def test_a_kernel_compiled_for_the_host_equals_its_portable_definition(
    op: str, examples: int, on_the_host: None
) -> None:
    @settings(max_examples=examples)
    @given(arguments(op))
    def run(given_: tuple[Any, ...]) -> None:
        compare(op, given_)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scalar", C_TYPES.values())
def test_the_source_compiles_for_the_device(family: str, scalar: str, tmp_path: Path) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("no CUDA compiler (nvcc) on this machine")
    (tmp_path / "k.cu").write_text(source(family))
    command = ["nvcc", "-std=c++17", "-arch=sm_90", "-cubin", "-Werror=all-warnings"]
    command += [f"-DSCALAR={scalar}", str(tmp_path / "k.cu"), "-o", str(tmp_path / "k.cubin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "k.cubin").stat().st_size > 1000


def test_every_kernel_is_registered() -> None:
    for op in KERNELS:
        assert op in [k.function.__name__ for k in kernels_for(op, "cuda")]
    x = get_backend("cuda").from_numpy(np.ones((1, 1, 4, 4), "float32"))
    with kernel_log() as ran:
        nn.pooling(nn.sigmoid(x), 2)
    assert [run.kernel for run in ran] == ["cuda:sigmoid", "cuda:max_pool2d"]


SHAPES = [(2, 3), (5000,), (0, 2), ()]
"""Shapes of parameters; a launch splits one of the parameters into two chunks."""
RULES = {
    "sgd": lambda: nn.SGD(0.1, weight_decay=0.01),
    "sgd with momentum": lambda: nn.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "sgd with nesterov": lambda: nn.SGD(0.1, momentum=0.9, nesterov=True),
    "momentum_sgd": lambda: nn.MomentumSGD(0.1),
    "momentum_sgd with nesterov": lambda: nn.MomentumSGD(0.1, nesterov=True),
    "adam_update": lambda: nn.Adam(0.1),
    "adam_update of AdamW": lambda: nn.AdamW(0.1),
    "update of RMSprop": lambda: nn.RMSprop(0.1),
}


def trained(rule: str, backend: str, dtype: str, more: int) -> list[np.ndarray]:
    """Return all parameters after three updates; one parameter has no gradient in the first."""
    params = [Parameter(np.ones(shape, dtype)) for shape in SHAPES + [(3,)] * more]
    model = nn.Layer()
    model.ps = params
    model.to(backend)
    optimizer = RULES[rule]().setup(model)
    optimizer.add_hook(nn.ClipGrad(0.5))
    for step in range(3):
        for number, param in enumerate(params):
            g = np.cos(np.arange(np.prod(param.shape, dtype=int)) + number + step)
            g = np.array(g.reshape(param.shape), dtype, order="F")
            late = step == 0 and number == 2
            param.grad = None if late else Variable(g).to(backend)
        optimizer.update()
    return [get_backend(backend).to_numpy(param.data) for param in params]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("where", ["stand-in", "host"])
def test_all_parameters_are_updated_together(rule: str, where: str, request: Any) -> None:
    if where == "host":
        request.getfixturevalue("on_the_host")
    more = 90 if where == "stand-in" else 0  # with 90 more parameters, there are two launches
    dtype = "float64" if "with" in rule else "float32"
    with kernel_log() as ran:
        found = trained(rule, "cuda", dtype, more)
    op = rule.split()[0]
    assert {run.kernel for run in ran if run.op in OF_LISTS} == {f"cuda:{op}", "cuda:clip_norm"}
    for got, expected in zip(found, trained(rule, "numpy", dtype, more), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_rule_reads_its_rate_from_the_device(on_the_host: None) -> None:
    p, g, rate = (get_backend("cuda").from_numpy(np.full(5, x, "f")) for x in (1.0, 2.0, 0.25))
    fused.sgd([p], [g], [{}], None, lambda states, p: (rate[0],), 0.0, 0.0, False)
    np.testing.assert_array_equal(p.get(), np.full(5, 0.5, "f"))


def test_a_subclass_with_its_own_rule_is_not_updated_by_a_kernel_of_its_base() -> None:
    class Halved(nn.SGD):
        def delta(self, p: Any, g: Any, state: Any) -> Any:
            return super().delta(p, g, state) * 0.5

    param = Parameter(np.ones(2, "f")).to("cuda")
    param.grad = Variable(np.ones(2, "f")).to("cuda")
    Halved(0.5).setup([param]).update()
    np.testing.assert_array_equal(param.data.get(), np.full(2, 0.75, "f"))


def test_cupy_is_imported_when_its_backend_is_first_used() -> None:
    code = """
import sys, numpy as np, dezero_nn as nn
from dezero_core.backends.kernels import all_kernels
from dezero_core.extend import get_backend
y = nn.MLP((3, 2), nn.relu)(np.ones((2, 4), "float32"))
nn.softmax_cross_entropy(y, np.array([0, 1])).backward()
print(sum(k.backend == "cuda" for k, _ in all_kernels()), "cupy" in sys.modules)
get_backend("cuda")
print("cupy" in sys.modules)
"""
    fakes = str(Path(__file__).parents[3] / "tests" / "fakes")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": fakes},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{len(dezero_kernels())} False\nTrue\n", done.stderr


KNOWN_ANSWERS = {
    # counter, key: result; from the file kat_vectors of Salmon et al.'s library Random123
    (0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000): (
        0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8,
    ),
    (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF): (
        0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD,
    ),
    (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0): (
        0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("given_", KNOWN_ANSWERS)
def test_philox_gives_the_published_numbers(given_: tuple[int, ...], on_the_host: None) -> None:
    words = np.array(given_, np.uint32)
    compiled_for_the_host("f").philox_of(words.ctypes.data_as(ctypes.c_void_p))
    assert tuple(words[:4].tolist()) == KNOWN_ANSWERS[given_]


def drawn(draw: Any) -> list[np.ndarray]:
    """Return 7 numbers of both dtypes, and 7 booleans, of one draw."""
    shape, like = (7,), get_backend("cuda").from_numpy(np.zeros(7))
    numbers = [random.uniform(shape, dtype, 5, draw) for dtype in (np.float32, np.float64)]
    return [x.get() for x in (*numbers, random.bernoulli(0.5, like, 5, draw))]


@pytest.mark.parametrize("draw", [3, 2**40 + 3])
def test_random_numbers_equal_those_of_the_stand_in(draw: int, request: Any) -> None:
    expected = drawn(draw)
    request.getfixturevalue("on_the_host")
    for number in (draw, get_backend("cuda").from_numpy(np.array(draw, np.uint64))):
        for found, wanted in zip(drawn(number), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    assert all(0 <= x < 1 for numbers in expected[:2] for x in numbers)
    np.testing.assert_array_equal(expected[2], expected[0] < 0.5)


@pytest.mark.parametrize("where", ["the stand-in", "on_the_host"])
def test_bfloat16_has_seven_fraction_bits_and_rounds_ties_to_even(where: str, request: Any) -> None:
    if where == "on_the_host":
        request.getfixturevalue(where)
    numbers = [1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -3.0, np.inf, -np.inf, np.nan, 3.4e38]
    expected = [1, 1 + 2**-6, 1 + 2**-7, -3.0, np.inf, -np.inf, np.nan, np.inf]
    bits = rounding.to_bfloat16(get_backend("cuda").from_numpy(np.array(numbers, "f")))
    assert bits.dtype == np.uint16
    np.testing.assert_array_equal(rounding.from_bfloat16(bits).get(), expected)


def test_kernels_of_rows_decline_rows_without_elements() -> None:
    x, t, ones = np.ones((2, 0), "f"), np.zeros(2, "i8"), np.ones(2, "f")
    supports = {kernel.op: kernel.supports for kernel in all_kernels()}
    assert not supports["softmax_cross_entropy"](x, t)
    assert not supports["cross_entropy"](x, t, ones, True)
    assert not supports["layer_norm"](x, None, None, 1, 1e-5)
