"""Test ops that split, rearrange, select and contract arrays: errors, views, NumPy's results."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.errors import BackendMismatch, DezeroError
from dezero_core.extend import get_backend

X = np.arange(24.0).reshape(2, 3, 4)
M = X[0]
MASK = M > 3

INVALID: list[tuple[Callable[[], Any], str]] = [
    (lambda: F.split(X, [1, 1], 1), r"split: sizes \(1, 1\) along axis 1 .*: .* add up to 3"),
    (lambda: F.split(X, [-1, 4], 1), r"split: sizes \(-1, 4\) .* expected sizes of at least 0"),
    (lambda: F.split(X, []), r"split: sizes \(\) along axis 0"),
    (lambda: F.split(X, 0), "split: size 0 is below 1"),
    (lambda: F.split(X, 1.5), r"split: size 1\.5 \(float\): expected an integer"),
    (lambda: F.split(X, 1, 3), "split: axis 3 does not exist: there are 3 axes"),
    (lambda: F.split(X, 1, dim=1), r"split: unknown keyword 'dim' \(write axis\)"),
    (lambda: F.split([1, 2], 1), "split: x is of type list; expected an array"),
    (lambda: F.chunk(X, 0), "chunk: n 0 is below 1"),
    (lambda: F.chunk(1.0, 2), "chunk: axis 0 does not exist: there are 0 axes"),
    (lambda: F.pad(X, (1, 1)), r"pad: widths \(1, 1\) .*: expected a pair .* of the 3 axes"),
    (lambda: F.pad(M, ((1, -1), (0, 0))), "pad: widths .* integers of at least 0"),
    (lambda: F.pad(M, 1), "pad: widths 1 for shape"),
    (lambda: F.pad(M, ((0, 1),) * 2, mode="circular"), "pad: mode 'circular': .*; write 'wrap'"),
    (lambda: F.pad(M, ((0, 1),) * 2, 2.0, mode="edge"), "pad: value 2.0 with mode 'edge'; leave"),
    (lambda: F.pad(M[:0], ((0, 1),) * 2, mode="wrap"), "pad: shape .*: no elements along axis 0"),
    (lambda: F.pad(M, ((0, 0),) * 2, "reflect"), "pad: value 'reflect' .*: expected a number"),
    (lambda: F.pad(M.astype(int), ((0, 0),) * 2, 0.5), "pad: value 0.5 for int64: expected an int"),
    (lambda: F.tril(M[0]), r"Tril: shape \(4,\): expected at least two axes"),
    (lambda: F.triu(M, 0.5), r"triu: k 0\.5 \(float\): expected an integer"),
    (lambda: F.flip(X, 3), r"Flip: axis 3 for shape \(2, 3, 4\)"),
    (lambda: F.flip(X, (0, -3)), r"Flip: axis \(0, -3\) .* each named once"),
    (lambda: F.repeat(X, [1, 2], 1), "repeat: 2 repeats for axis 1 .*: expected one integer, or 3"),
    (lambda: F.repeat(X, -1), r"repeat: repeats \(-1,\): expected integers of at least 0"),
    (lambda: F.tile(X, (1, -2)), r"tile: repetitions \(1, -2\): expected integers of at least 0"),
    (lambda: F.roll(X, (1, 2)), r"roll: shift \(1, 2\) for axis None: expected one shift"),
    (lambda: F.roll(X, 1, 3), "Roll: axis 3 for shape"),
    (lambda: F.moveaxis(X, 0, (1, 2)), r"moveaxis: source 0 and destination \(1, 2\)"),
    (lambda: F.moveaxis(X, 0, 7), "moveaxis: axis 7 does not exist"),
    (lambda: F.permute_dims(X, (0, 1)), r"Transpose: axes \(0, 1\) for shape"),
    (lambda: F.diagonal(M[0]), "diagonal: axis 1 does not exist"),
    (lambda: F.diagonal(M, 0, 1, -1), r"diagonal: axis \(1, -1\) names an axis twice"),
    (lambda: F.masked_fill(M, MASK * 1, 0), "masked_fill: mask of int64: .* mask != 0 converts"),
    (lambda: F.masked_fill(M, MASK, None), "masked_fill: value is None: expected a number"),
    (lambda: F.astype(M, "floaty"), "astype: dtype 'floaty'; expected a name such as 'float32'"),
    (lambda: F.astype(M, None), "astype: dtype None; expected a name"),
    (lambda: F.astype(M, 3), "astype: dtype 3; expected a name"),
    (lambda: F.masked_fill(M, [True], 0), "masked_fill: mask of list: expected an array of bools"),
    (lambda: F.masked_fill(M, MASK.T, 0), r"x of shape \(3, 4\), mask of shape \(4, 3\), value"),
    (lambda: F.masked_fill(M, MASK, M), r"value of shape \(3, 4\): .* where\(mask, values, x\)"),
    (lambda: F.take_along_axis(M, np.array([[4]])), r"axis 1: .* expected indices in \[-4, 4\)"),
    (lambda: F.take_along_axis(M, np.array([0])), "the numbers of axes must be equal"),
    (lambda: F.take_along_axis(M, np.ones((2, 1), int)), "the other axes must broadcast"),
    (lambda: F.take_along_axis(M, M), "take_along_axis: indices of float64: expected an integer"),
    (lambda: F.take_along_axis(M, [0]), "take_along_axis: indices is of type list"),
    (lambda: F.take(M, [0, 9], 1), "GetItem: index .* for shape"),
    (lambda: F.take(M, [0], 2), "take: axis 2 does not exist"),
    (lambda: F.add_at(M, [5], 1.0), r"GetItem: index \[5\] for shape \(3, 4\)"),
    (lambda: F.add_at(M, [0], np.ones(3)), r"add_at: values \(3,\) do not .* to \(1, 4\)"),
    (lambda: F.outer(M, M[0]), r"outer: shapes \(3, 4\) and \(4,\): expected one axis each"),
    (lambda: F.tensordot(M, M.T), "tensordot: shapes .* equal lengths of the paired axes"),
    (lambda: F.tensordot(M, M, 3), "tensordot: axis -3 does not exist"),
    (lambda: F.tensordot(M, M, ([0],)), "tensordot: axes .*: expected an integer or a pair"),
    (
        lambda: F.vecdot(M, M.T),
        "vecdot: shapes .* both arrays need this axis, with the same",
    ),
    (lambda: F.vecdot(M, M, 2), "vecdot: shapes .*, axis 2"),
    (lambda: F.vecdot(M, M[:2]), "VecDot: shapes .* do not broadcast"),
    (lambda: F.einsum(M, [0, 1]), "einsum: subscripts of type ndarray: expected a string"),
    (lambda: F.einsum("i.j", M), r"einsum: subscripts 'i\.j': expected letters, ','"),
    (lambda: F.einsum("ij->j->i", M), "einsum: subscripts 'ij->j->i': expected letters"),
    (lambda: F.einsum("i1", M), "einsum: subscripts 'i1': expected letters"),
    (lambda: F.einsum("ij,jk", M), "expected one term for each of the 1 operands"),
    (lambda: F.einsum("ij->ik", M), "expected each letter of the result once, and in a term"),
    (lambda: F.einsum("ij->ii", M), "expected each letter of the result once"),
    (lambda: F.einsum("i", M), r"'i' for an operand of shape \(3, 4\): expected one letter"),
    (lambda: F.einsum("i...jk", M), "expected one letter for each axis"),
    (lambda: F.einsum("ii", M), "axes with the same letter must have the same length"),
    (lambda: F.einsum("ij,ij", M, M.T), "axes with the same letter must have the same length"),
]


@pytest.mark.parametrize(("call", "message"), INVALID, ids=[message for _, message in INVALID])
def test_invalid_arguments_are_explained(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DezeroError, match=message):
        call()


def test_arrays_of_two_libraries_are_refused() -> None:
    indices = get_backend("strict").from_numpy(np.array([[0]]))
    with pytest.raises(BackendMismatch, match="TakeAlongAxis got "):
        F.take_along_axis(M, indices)


def test_parts_share_memory_and_unused_parts_get_zeros() -> None:
    x = Variable(M.copy())
    parts = F.split(x, [1, 0, 3], axis=-1)
    assert [part.shape for part in parts] == [(3, 1), (3, 0), (3, 3)]
    assert all(part.data.base is not None for part in parts)
    F.sum(parts[2]).backward()
    assert np.array_equal(x.grad.data, [[0, 1, 1, 1]] * 3)


@pytest.mark.parametrize(
    ("length", "sizes"), [(11, [2] * 5 + [1]), (12, [2] * 6), (13, [3] * 4 + [1])]
)
def test_chunk_returns_as_many_parts_as_pytorch(length: int, sizes: list[int]) -> None:
    assert [len(part) for part in F.chunk(np.arange(length), 6)] == sizes


def test_parts_of_an_empty_axis() -> None:
    empty = np.zeros((2, 0))
    assert [part.shape for part in F.chunk(empty, 3, 1)] == [(2, 0)] * 3
    assert [part.shape for part in F.split(empty, 5, 1)] == [(2, 0)]
    assert [part.shape for part in F.split(empty, 0, 1)] == [(2, 0)]


def test_padding_keeps_the_dtype() -> None:
    for x, value in ((np.ones(2, "uint8"), 3), (np.ones(2, bool), 0), (np.ones(2, "float16"), 0.5)):
        y = F.pad(x, [(1, 2)], value)
        assert y.dtype == x.dtype
        assert y.data.tolist() == [value, 1, 1, value, value]
    assert np.isneginf(F.pad(M, ((1, 0), (0, 0)), -np.inf).data[0]).all()


def test_masks_broadcast() -> None:
    scores = np.zeros((2, 3, 3), "float32")
    masked = F.masked_fill(scores, np.triu(np.ones((3, 3), bool), 1), -np.inf)
    assert masked.dtype == "float32"
    assert np.array_equal(np.isneginf(masked.data), np.broadcast_to(np.tri(3) == 0, (2, 3, 3)))


@pytest.mark.parametrize("value", [-1e9, np.float64(-1e9), np.array(-1e9), Variable(np.array(1.0))])
def test_the_value_of_masked_elements_does_not_change_the_dtype(value: Any) -> None:
    assert F.masked_fill(M.astype("float32"), MASK, value).dtype == "float32"


def test_negative_indices_count_from_the_end() -> None:
    i = np.array([[-1, 0], [-4, 3], [2, -2]])
    assert np.array_equal(F.take_along_axis(M, i).data, np.take_along_axis(M, i, 1))
    assert np.array_equal(F.take(M, -1, 0).data, M[-1])
    assert np.array_equal(F.take(M, [[-1, 0]]).data, [[M[-1, -1], 0]])


def test_add_at_does_not_change_its_argument() -> None:
    x = M.copy()
    y = F.add_at(x, ([0, 0], [1, 1]), 2.5)
    assert np.array_equal(x, M)
    assert y.data[0, 1] == M[0, 1] + 5
    assert F.add_at(M, slice(1), 1).data[0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("dtype", ["float16", "int32", "float32"])
def test_contractions_keep_the_dtype(dtype: str) -> None:
    a = np.ones((2, 3000), dtype)
    for y in (F.einsum("ij,kj->ik", a, a), F.vecdot(a, a), F.tensordot(a, a, ([1], [1]))):
        assert y.dtype == dtype
        assert (y.data == 3000).all()  # a sum in half precision would stop at 2048


LETTERS = "abcd"
LENGTHS = dict(zip(LETTERS, (2, 3, 1, 4), strict=True))
TERMS = st.lists(st.text(LETTERS, max_size=3), min_size=1, max_size=3)


@settings(deadline=None, max_examples=150)
@given(terms=TERMS, data=st.data())
def test_einsum_equals_numpy(terms: list[str], data: st.DataObject) -> None:
    known = sorted(set("".join(terms)))
    out = "".join(data.draw(st.permutations(known)))[: data.draw(st.integers(0, len(known)))]
    subscripts = ",".join(terms) + data.draw(st.sampled_from(["", "->" + out]))
    draw = np.random.default_rng(0)
    xs = [draw.standard_normal([LENGTHS[c] for c in term]) for term in terms]
    np.testing.assert_allclose(
        F.einsum(subscripts, *xs).data, np.einsum(subscripts, *xs), atol=1e-12
    )


ARRAYS = hnp.arrays("int64", hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4))


@settings(deadline=None, max_examples=60)
@given(x=ARRAYS, n=st.integers(-4, 4), data=st.data())
def test_rearranging_equals_numpy(x: Any, n: int, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    pairs = [
        (F.roll(x, n, axis), np.roll(x, n, axis)),
        (F.roll(x, n), np.roll(x, n)),
        (F.flip(x, axis), np.flip(x, axis)),
        (F.tril(x, n), np.tril(x, n)),
        (F.triu(x, n), np.triu(x, n)),
        (F.diagonal(x, n), np.diagonal(x, n)),
        (F.repeat(x, abs(n), axis), np.repeat(x, abs(n), axis)),
        (F.repeat(x, range(x.shape[axis]), axis), np.repeat(x, range(x.shape[axis]), axis)),
        (F.tile(x, (abs(n), 1, 2)), np.tile(x, (abs(n), 1, 2))),
        (F.moveaxis(x, 0, axis), np.moveaxis(x, 0, axis)),
        (F.pad(x, [(abs(n), 1)] * x.ndim, n), np.pad(x, (abs(n), 1), constant_values=n)),
        (F.concat(F.split(x, abs(n) + 1, axis), axis), x),
    ]
    for number, (ours, expected) in enumerate(pairs):
        assert np.array_equal(ours.data, expected), number
