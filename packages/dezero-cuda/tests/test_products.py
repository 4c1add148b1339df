"""Compare matmuls by the stand-in for cuBLAS with NumPy's."""

import warnings
from typing import Any

import cupy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nvmath.bindings import cublas

from dezero_core import precision
from dezero_core.extend import get_backend, kernel_log, ops
from dezero_cuda import libraries, products


def device(x: Any) -> Any:
    return get_backend("cuda").from_numpy(x)


def as_on_device(x: np.ndarray) -> Any:
    """Return a device array with the strides of ``x``: `from_numpy` would copy to C order."""
    return cupy.ndarray(x)


def check(x: np.ndarray, W: np.ndarray, rtol: float = 1e-6) -> None:
    with kernel_log() as ran:
        y = ops["matmul"](as_on_device(x), as_on_device(W))
    assert ran[0].kernel == "cuda:products_matmul"
    expected = x @ W
    assert y.shape == expected.shape and y.dtype == expected.dtype
    np.testing.assert_allclose(get_backend("cuda").to_numpy(y), expected, rtol, 1e-5)


side = st.integers(1, 4)
FORMS = {
    "C order": lambda x: x,
    "transposed": lambda x: np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2),
    "columns of a wider array": lambda x: np.concatenate([x, x], -1)[..., : x.shape[-1]],
    "every second row": lambda x: np.repeat(x, 2, -2)[..., ::2, :],
    "every second column": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "flipped": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "axes swapped": lambda x: (
        np.ascontiguousarray(np.moveaxis(x, -2, 0)).swapaxes(0, -2) if x.ndim == 3 else x
    ),
    "one repeated matrix": lambda x: np.broadcast_to(x[:1], x.shape),
    "repeated along the second axis": lambda x: np.broadcast_to(x[:, :1], x.shape),
    "one repeated row": lambda x: np.broadcast_to(x[..., :1, :], x.shape),
}
LEADS = [
    ((), ()),
    ((2,), ()),
    ((), (2,)),
    ((2,), (2,)),
    ((3, 2), (2,)),
    ((2, 3), (2, 3)),
    ((3, 1), (1, 2)),
    ((1,), (4,)),
]


@settings(max_examples=80)
@given(side, side, side, st.sampled_from(LEADS), *[st.sampled_from(list(FORMS))] * 2,
       st.sampled_from("fde"))  # fmt: skip
def test_matmul_reads_matrices_in_every_memory_order(
    n: int, k: int, m: int, leads: Any, form: str, other: str, letter: str
) -> None:
    random = np.random.default_rng(n * 100 + k * 10 + m)
    x = FORMS[form](random.integers(-4, 5, (*leads[0], n, k)).astype(letter))
    W = FORMS[other](random.integers(-4, 5, (*leads[1], k, m)).astype(letter))
    check(x, W)


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3,)),
                                    ((3,), (5, 3, 2))])  # fmt: skip
def test_matmul_accepts_vectors(shapes: Any) -> None:
    check(*[np.arange(1.0, 1 + np.prod(shape)).reshape(shape).astype("f") for shape in shapes])


@pytest.mark.parametrize("axis", [0, 1])
def test_one_stack_of_matrices_may_be_repeated(axis: int) -> None:
    """One leading axis has stride 0, and the other one has a different stride."""
    few = np.arange(24.0).reshape(2, 3, 2, 2).take([0], axis)
    check(np.broadcast_to(few, (2, 3, 2, 2)), np.arange(24.0).reshape(2, 3, 2, 2) - 9)


def test_transposed_arrays_are_not_copied() -> None:
    """The gradient of a weight is ``x^T gy``; the gradient of the input is ``gy W^T``."""
    x, gy, W = (as_on_device(np.ones(shape, "f")) for shape in ((5, 3), (5, 4), (3, 4)))
    cupy._counts.clear()
    cublas.calls.clear()
    ops["matmul"](x.swapaxes(0, 1), gy)
    ops["matmul"](gy, W.swapaxes(0, 1))
    heads = as_on_device(np.ones((2, 3, 5, 4), "f"))
    ops["matmul"](heads, heads.swapaxes(2, 3))
    assert cupy._counts["launches"] == 3
    assert [call[:6] for call in cublas.calls] == [
        ("gemm_ex", 4, 3, 5, 0, 1),
        ("gemm_ex", 3, 5, 4, 1, 0),
        ("gemm_strided_batched_ex", 5, 5, 4, 1, 0),
    ]


def test_precision_rounds_the_factors_of_float32_only() -> None:
    """TF32 keeps 10 fraction bits of each factor, bfloat16 keeps 7; other dtypes do not change."""
    x = np.array([[1 + 2**-9 + 2**-20]], "f")
    found = {}
    for name in ("float32", "tf32", "bf16"):
        with precision(name):
            found[name] = float(ops["matmul"](device(x), device(np.ones((1, 1), "f"))).get()[0, 0])
            check(x.astype("d") + 2**-40, np.ones((1, 1)), 1e-15)
    assert found == {"float32": float(x[0, 0]), "tf32": 1 + 2**-9, "bf16": 1.0}


@pytest.mark.parametrize(
    ("x", "W", "reason"),
    [
        (np.ones((2, 3), "f"), np.ones((3, 2)), "not both"),
        (np.ones((2, 3), int), np.ones((3, 2), int), "not both"),
        (np.ones((0, 3), "f"), np.ones((3, 2), "f"), "empty"),
    ],
)
def test_other_matrices_are_left_to_cupy(x: Any, W: Any, reason: str) -> None:
    with kernel_log() as ran:
        y = ops["matmul"](device(x), device(W))
    assert ran[0].kernel == "portable" and reason in ran[0].declined[0][1]
    np.testing.assert_array_equal(get_backend("cuda").to_numpy(y), x @ W)


def test_shapes_that_do_not_match_raise_as_in_cupy() -> None:
    with pytest.raises(ValueError, match="mismatch"):
        ops["matmul"](device(np.ones((2, 3), "f")), device(np.ones((2, 3), "f")))
    with pytest.raises(ValueError, match="broadcast"):
        ops["matmul"](device(np.ones((2, 2, 3), "f")), device(np.ones((3, 3, 2), "f")))


def test_the_stream_and_its_workspace_are_set_when_the_stream_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the stream changes, cuBLAS resets its workspace; without a workspace, capture fails."""
    x, done = device(np.eye(2, dtype="f")), []
    for name in ("set_stream", "set_workspace"):
        real = getattr(cublas, name)
        note = lambda *a, real=real, name=name: (done.append((name, *a[1:])), real(*a))  # noqa: E731
        monkeypatch.setattr(cublas, name, note)
    for stream in (0, 0, 7, 7, 0):
        monkeypatch.setattr(cupy.cuda, "get_current_stream", lambda s=stream: FakeStream(s))
        np.testing.assert_array_equal(ops["matmul"](x, x).get(), np.eye(2))
    streams = [call[1] for call in done if call[0] == "set_stream"]
    assert streams[-2:] == [7, 0] and len(streams) <= 3
    memory = [call[1] for call in done if call[0] == "set_workspace"]
    assert len(memory) == len(streams) and memory[-1] != memory[-2]


class FakeStream:
    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("nvmath_missing.bindings", "is not installed"),
        ("nvmath.missing", "fails: ModuleNotFoundError: No module named 'nvmath.missing'"),
    ],
)
def test_without_nvmath_cupy_multiplies_and_one_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, module: str, problem: str
) -> None:
    missing = libraries.LIBRARIES["cublas"]._replace(module=module)
    monkeypatch.setitem(libraries.LIBRARIES, "cublas", missing)
    libraries.load.cache_clear()
    x = device(np.eye(2, dtype="f"))
    try:
        with pytest.warns(UserWarning, match=rf"nvmath-python {problem}, so CuPy .*; pip"):
            ops["matmul"](x, x)
        with warnings.catch_warnings(), kernel_log() as ran:
            warnings.simplefilter("error")
            ops["matmul"](x, x)
        assert ran[0].kernel == "portable"
        assert ran[0].declined == (("cuda:products_matmul", f"nvmath-python {problem}"),)
    finally:
        libraries.load.cache_clear()


def test_the_diagnosis_names_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "version", lambda name: "1.2")
    assert dict(libraries.versions()) == {"nvmath-python": "1.2", "nvidia-cudnn-frontend": "1.2"}
    assert products.WORKSPACE == 32 << 20
