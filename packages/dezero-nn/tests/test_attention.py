"""Test attention with large scores, masks, dropout, bad arguments and sizes of 0 and 1."""

import re
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dezero_core import Variable, no_grad, seed, test_mode
from dezero_core.errors import (
    ArgumentError,
    ArgumentTypeError,
    BackendMismatch,
    CallError,
    ShapeError,
)
from dezero_core.extend import kernel_log, ops
from dezero_core.functions import sum as total
from dezero_nn import parallel
from dezero_nn.functions import scaled_dot_product_attention
from dezero_nn.kernels import attention as kernels

X = np.sin(np.arange(48.0)).reshape(2, 2, 3, 4)
sizes, flags = st.integers(1, 5), st.booleans()


@given(st.tuples(sizes, sizes, sizes, sizes), st.integers(0, 4), st.sampled_from([1, 30, 3000]),
       flags, flags, flags, st.sampled_from([1, 3]), st.integers(1, 3))  # fmt: skip
def test_kernels_equal_the_portable_definitions(
    shape: tuple[int, ...], more: int, size: int, causal: bool, is_masked: bool, drops: bool,
    threads: int, step: int,
) -> None:  # fmt: skip
    """Scores may be large or very negative; tiles have few queries and few examples."""
    (B, H, T, D), draw = shape, np.random.default_rng(sum(shape))
    q, k, v = (draw.normal(size=(B, H, n, d)) for n, d in ((T, D), (T + more, D), (T + more, 2)))
    mask = draw.normal(size=(H, 1, T + more)) - 10 * size if is_masked else None
    if mask is not None:
        mask[0, 0, 0] = -np.inf
    keep = draw.random((B, H, T, T + more)) > 0.3 if drops else None
    settings = causal, 0.5 * size, 0.3 if drops else 0.0
    parallel.set_num_threads(threads)
    with (
        patch.multiple(kernels, MIN_QUERIES=step, MAX_QUERIES=step, TILE_ELEMENTS=8, MIN_COPIED=2),
        patch.multiple(parallel, MIN_PARALLEL_WORK=0, MIN_PART_WORK=1, _chosen=threads),
    ):
        arguments = q, k, v, mask, keep, *settings
        assert kernels.supports_attention(*arguments, True) is True
        y, workspace = kernels.attention(*arguments, True)
        np.testing.assert_array_equal(kernels.attention(*arguments, False)[0], y)
        if not drops:
            few, _ = kernels.attention_of_few(*arguments, False)
            np.testing.assert_allclose(few, y, 1e-9, 1e-11)
        wanted, p = ops["attention"].portable(*arguments, True)
        np.testing.assert_allclose(y, wanted, 1e-9, 1e-11)
        gy = draw.normal(size=y.shape)
        found = kernels.attention_grad(gy, y, workspace, q, k, v, keep, *settings)
        others = ops["attention_grad"].portable(gy, wanted, p, q, k, v, keep, *settings)
        for gradient, other in zip(found, others, strict=True):
            np.testing.assert_allclose(gradient, other, 1e-6, 1e-9 * size)


def test_the_kernels_run_for_float32_with_and_without_a_graph() -> None:
    q = Variable(X.astype("float32"))
    with kernel_log() as ran:
        y = scaled_dot_product_attention(q, q, q, causal=True)
        y.sum().backward()
        with no_grad():
            z = scaled_dot_product_attention(q, q, q, causal=True)
    kernels_run = [run.kernel for run in ran if run.op.startswith("attention")]
    assert kernels_run == [f"numpy:attention{end}" for end in ("", "_grad", "_of_few")]
    np.testing.assert_allclose(y.data, z.data, atol=1e-6)


@pytest.mark.parametrize("mask", [np.zeros((3, 3), bool), np.full((3, 3), -np.inf)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_query_that_sees_no_key_gets_zeros_and_no_gradient(mask: Any, dtype: str) -> None:
    mask = mask.copy()
    mask[1] = mask.dtype == bool  # the second query sees all keys
    q = Variable(X.astype(dtype))
    y = scaled_dot_product_attention(q, X.astype(dtype), X.astype(dtype), mask)
    y.sum().backward()
    assert q.grad is not None and np.isfinite(q.grad.data).all()
    assert (y.data[..., [0, 2], :] == 0).all() and (y.data[..., 1, :] != 0).all()
    assert (q.grad.data[..., [0, 2], :] == 0).all() and (q.grad.data[..., 1, :] != 0).all()


def test_more_queries_than_keys_when_causal() -> None:
    y = scaled_dot_product_attention(X, X[..., :2, :], X[..., :2, :], causal=True).data
    assert (y[..., 0, :] == 0).all()  # query t sees the keys up to t - 1
    np.testing.assert_allclose(y[..., 1, :], X[..., 0, :])


def test_one_query_at_the_end_of_the_keys_sees_all_of_them() -> None:
    q = X[..., :1, :]
    np.testing.assert_array_equal(
        scaled_dot_product_attention(q, X, X, causal=True).data,
        scaled_dot_product_attention(q, X, X).data,
    )


def test_a_causal_result_does_not_depend_on_later_keys() -> None:
    later = X.copy()
    later[..., 2, :] = 100
    before, after = (scaled_dot_product_attention(X, x, x, causal=True).data for x in (X, later))
    np.testing.assert_allclose(before[..., :2, :], after[..., :2, :])


def test_empty_sequences() -> None:
    none = X[..., :0, :]
    assert scaled_dot_product_attention(none, X, X).shape == (2, 2, 0, 4)
    y = scaled_dot_product_attention(X, none, none)
    assert y.shape == X.shape and (y.data == 0).all()


def test_half_precision_is_computed_in_single_precision() -> None:
    x = X.astype("float16")
    y = scaled_dot_product_attention(x, x, x, np.zeros((3, 3), "float16"))
    wide = scaled_dot_product_attention(*[x.astype("float32")] * 3)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y.data, wide.data.astype("float16"))


def test_dropout_is_for_training_and_keeps_the_mean() -> None:
    seed(0)
    q, v = np.zeros((100, 64, 2), "float32"), np.ones((100, 64, 1), "float32")
    with test_mode():
        np.testing.assert_allclose(scaled_dot_product_attention(q, q, v, dropout=0.5).data, v, 1e-6)
    y = scaled_dot_product_attention(q, q, v, dropout=0.5).data
    assert abs(y.mean() - 1) < 0.01 and abs(y.var() - 1 / 64) < 0.002


def test_grouped_queries_share_heads_and_their_gradients() -> None:
    k = Variable(X)
    q = np.cos(np.arange(96.0)).reshape(2, 4, 3, 4)
    y = scaled_dot_product_attention(q, k, k)
    repeated = Variable(np.repeat(X, 2, axis=1))
    z = scaled_dot_product_attention(q, repeated, repeated)
    np.testing.assert_array_equal(y.data, z.data)
    y.sum().backward()
    z.sum().backward()
    assert k.grad is not None and repeated.grad is not None
    np.testing.assert_allclose(k.grad.data, repeated.grad.data.reshape(2, 2, 2, 3, 4).sum(2))


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"mask": np.ones((3, 3), int)}, ArgumentTypeError, "mask is int64; expected bools"),
    ({"mask": np.ones((4, 3), bool)}, ShapeError, "mask (4, 3) does not broadcast to the scores"),
    ({"dropout": 1.0}, ArgumentError, "dropout 1.0 is not in [0, 1)"),
    ({"dropout": -0.1}, ArgumentError, "dropout -0.1 is not in [0, 1)"),
    ({"dropout": "0.1"}, ArgumentTypeError, "dropout '0.1' (str): expected a number"),
    ({"causal": 0.1}, ArgumentTypeError, "causal 0.1 (float): expected True or False"),
    ({"scale": "2"}, ArgumentTypeError, "scale '2' (str): expected a number"),
    ({"k": X[..., :3]}, ShapeError, "k (2, 2, 3, 3)"),
    ({"v": X[..., :2, :]}, ShapeError, "expected (..., T, D), (..., S, D) and (..., S, E)"),
    ({"v": X[0, 0, 0]}, ShapeError, "v (4,)"),
    ({"q": np.ones((2, 3, 3, 4))}, ShapeError, "heads (axis -3) of k and v must divide those of q"),
    ({"is_causal": True}, CallError, "'is_causal' (write causal)"),
    ({"attn_mask": None}, CallError, "'attn_mask' (write mask)"),
    ({"dropout_p": 0.1}, CallError, "'dropout_p' (write dropout)"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        scaled_dot_product_attention(**{"q": X, "k": X, "v": X, **arguments})


def test_the_mask_must_be_an_array_of_the_same_library(backend: str) -> None:
    q, mask = Variable(X).to(backend), np.tri(3, dtype=bool)
    wanted = scaled_dot_product_attention(X, X, X, mask).data
    if backend != "numpy":
        with pytest.raises(BackendMismatch, match=f"mask is an array of numpy, q of {backend}"):
            scaled_dot_product_attention(q, q, q, mask)
    y = scaled_dot_product_attention(q, q, q, Variable(mask).to(backend))
    np.testing.assert_allclose(y.to_cpu().data, wanted)


def test_dropout_on_each_backend(backend: str) -> None:
    q = Variable(X).to(backend)
    y = scaled_dot_product_attention(q, q, q, dropout=0.5, causal=True)
    total(y * y).backward(create_graph=True)
    assert q.grad is not None and type(q.grad.data) is type(q.data)
