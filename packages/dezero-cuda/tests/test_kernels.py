"""Compare CUDA kernels with the portable definitions; compile them for host and device."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dezero_core import Parameter, Variable
from dezero_core.backends.kernels import kernels_for
from dezero_core.extend import get_backend, kernel_log, ops
from dezero_cuda.kernels import all_kernels
from dezero_cuda.kernels.module import C_TYPES, source
from dezero_cuda.plugin import dezero_kernels

SOURCE = Path(__file__).parent.parent / "src" / "dezero_cuda" / "kernels" / "kernels.cu"
nn = pytest.importorskip("dezero_nn", reason="the ops are dezero-nn's")
KERNELS = {kernel.op: kernel for kernel in all_kernels() if kernel.op != "update"}
small = st.integers(1, 3)


@cache
def compiled_for_the_host(letter: str) -> ctypes.CDLL:
    """Compile the kernels for the host with a C++ compiler."""
    target = Path(mkdtemp()) / f"kernels_{letter}.so"
    command = ["g++", "-O1", "-shared", "-fPIC", "-DHOST", f"-DSCALAR={C_TYPES[letter]}"]
    subprocess.run([*command, "-x", "c++", str(SOURCE), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


def as_c(value: Any) -> Any:
    """Return an argument in the form that ctypes passes to C."""
    if isinstance(value, np.ndarray):
        return value.ctypes.data_as(ctypes.c_void_p)
    kinds: dict[str, Callable[[Any], Any]] = {
        "i": ctypes.c_int, "l": ctypes.c_longlong, "f": ctypes.c_float, "d": ctypes.c_double,
    }  # fmt: skip
    return kinds[np.asarray(value).dtype.char](value.item())


@pytest.fixture
def on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let launches run the kernels compiled for the host, not those of the stand-in."""
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler (g++) on this machine")
    from dezero_cuda.kernels import launches

    def launch(name: str, result: Any, *arguments: Any, threads: int | None = None) -> None:
        n = result.size if threads is None else threads
        if n:
            hosts = [getattr(a, "_host", a) for a in arguments]
            function = getattr(compiled_for_the_host(result.dtype.char), name)
            function(*[as_c(a) for a in (*hosts, np.int64(n))])

    monkeypatch.setattr(launches, "launch", launch)


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

    def numbers(*shape: int) -> Any:
        return (random.integers(-9, 9, shape) / 4).astype(dtype)

    x, g = numbers(N, C, *size), numbers(N, C, *counts)
    scores, labels = numbers(N + 1, C + 1), random.integers(0, C + 1, (N + 1,))
    index = random.integers(0, kernel[0] * kernel[1], g.shape)
    return {
        "sigmoid": (20 * x,),
        "relu": (x,),
        "sigmoid_grad": (x, x[..., ::-1].copy()),
        "tanh_grad": (x, x[..., ::-1].copy()),
        "scaled_where": (x, x > 0, 1.25),
        "relu_grad": (x, x[..., ::-1].copy()),
        "softmax_cross_entropy": (20 * scores, labels),
        "softmax_cross_entropy_grad": (np.array(0.5, dtype), scores, labels[:, np.newaxis]),
        "im2col": (x, kernel, stride, pad, dilation, draw(st.sampled_from([0.0, -np.inf]))),
        "col2im": (numbers(N, C, *kernel, *counts), x.shape, stride, pad, dilation),
        "max_pool2d": (x, kernel, stride, pad),
        "average_pool2d": (x, kernel, stride, pad),
        "average_pool2d_grad": (g, x.shape, kernel, stride, pad),
        "max_pool2d_grad": (g, index, x.shape, kernel, stride, pad),
    }[op]


def compare(op: str, given_: tuple[Any, ...]) -> None:
    """Return the results of the kernel, and of the portable definition on NumPy."""
    library = get_backend("cuda")
    device = [library.from_numpy(a) if isinstance(a, np.ndarray) else a for a in given_]
    assert KERNELS[op].supports(*device)
    got, expected = KERNELS[op].function(*device), ops[op].portable(*given_)
    if not isinstance(got, tuple):
        got, expected = (got,), (expected,)
    for found, wanted in zip(got, expected, strict=True):
        assert found.shape == wanted.shape
        assert found.dtype.kind == wanted.dtype.kind
        np.testing.assert_allclose(library.to_numpy(found), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", sorted(KERNELS))
def test_a_cuda_kernel_equals_its_portable_definition(op: str) -> None:
    @settings(max_examples=30)
    @given(arguments(op))
    def run(given_: tuple[Any, ...]) -> None:
        compare(op, given_)

    run()


ONE = np.array(0.75, "float32")
WITHOUT_AXES = {
    "sigmoid": (ONE,),
    "relu": (ONE,),
    "sigmoid_grad": (ONE, ONE),
    "tanh_grad": (ONE, ONE),
    "relu_grad": (ONE, ONE),
    "scaled_where": (ONE, np.array(True), 1.25),
}


@pytest.mark.parametrize("op", WITHOUT_AXES)
def test_a_0d_array_stays_0d(op: str) -> None:
    """``cupy.ascontiguousarray`` changes the shape of a 0-d array to (1,)."""
    compare(op, WITHOUT_AXES[op])


@pytest.mark.parametrize("op", sorted(KERNELS))
def test_a_kernel_compiled_for_the_host_gives_the_same(op: str, on_the_host: None) -> None:
    @settings(max_examples=30)
    @given(arguments(op))
    def run(given_: tuple[Any, ...]) -> None:
        compare(op, given_)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("scalar", C_TYPES.values())
def test_the_source_compiles_for_the_device(scalar: str, tmp_path: Path) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("no CUDA compiler (nvcc) on this machine")
    command = ["nvcc", "-arch=sm_90", "-cubin", "-Werror=all-warnings", f"-DSCALAR={scalar}"]
    done = subprocess.run(
        [*command, str(SOURCE), "-o", str(tmp_path / "k.cubin")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "k.cubin").stat().st_size > 1000


def test_every_kernel_is_in_the_source_and_in_use() -> None:
    for op in KERNELS:
        assert f"KERNEL {op}(" in source()
        assert [k.function.__name__ for k in kernels_for(op, "cuda")] == [op]
    x = get_backend("cuda").from_numpy(np.ones((1, 1, 4, 4), "float32"))
    with kernel_log() as ran:
        nn.pooling(nn.sigmoid(x), 2)
    assert [run.kernel for run in ran] == ["cuda:sigmoid", "cuda:max_pool2d"]


def test_new_and_old_parameters_are_updated_together() -> None:
    """Parameters with and without updates behind them get the same bits as on the host."""
    library = get_backend("cuda")

    def train(backend: str) -> list[Any]:
        model = nn.Layer()
        for name in "pqr":
            model.__setattr__(name, Parameter(np.ones((2, 3), "float32")))
        model.to(backend)
        optimizer = nn.AdamW().setup(model)
        for step in range(3):
            for number, param in enumerate(model.params()):
                g = np.cos(np.arange(6.0) + number + step).reshape(2, 3).astype("float32")
                late = step == 0 and number == 2
                param.grad = None if late else Variable(g).to(backend)
            optimizer.update()
        return [get_backend(backend).to_numpy(param.data) for param in model.params()]

    with kernel_log() as ran:
        there = train("cuda")
    kernels = {run.kernel for run in ran if run.op == "update"}
    assert kernels == {"cuda:update"} and library.name == "cuda"
    np.testing.assert_array_equal(there, train("numpy"))


def test_listing_the_kernels_does_not_import_cupy() -> None:
    code = """
import sys, numpy as np, dezero_nn as nn
from dezero_core.backends.kernels import all_kernels
y = nn.MLP((3, 2), nn.relu)(np.ones((2, 4), "float32"))
nn.softmax_cross_entropy(y, np.array([0, 1])).backward()
print(sum(k.backend == "cuda" for k, _ in all_kernels()), "cupy" in sys.modules)
"""
    fakes = str(Path(__file__).parents[3] / "tests" / "fakes")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": fakes},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{len(dezero_kernels())} False\n", done.stderr
