"""Test ops where the op table cannot: errors, ties, views, and the extras for indexing."""

from types import SimpleNamespace

import array_api_strict
import numpy as np
import pytest
import strict
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.backends import portable
from dezero_core.errors import ArgumentError, OutOfRange, ShapeError
from dezero_core.extend import ArrayBackend, get_backend

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.concat([]), "concat: nothing to join; expected at least one array"),
        (lambda x: F.concat([x, x.T]), r"Concat: shapes \(2, 3\), \(3, 2\) along axis 0"),
        (lambda x: F.stack([x, x[0]]), r"Stack: shapes \(2, 3\), \(3,\)"),
        (lambda x: F.expand_dims(x, 4), r"ExpandDims: axis 4 for shape \(2, 3\)"),
        (lambda x: F.squeeze(x, 1), r"Squeeze: axis 1 for shape \(2, 3\): only axes of length 1"),
        (lambda x: F.flatten(x[0, 0]), r"flatten: start_axis 1 for shape \(\)"),
        (lambda x: F.max(x[:0]), r"Max: axis None for shape \(0, 3\)"),
        (lambda x: F.min(x, 2), r"Min: axis 2 for shape \(2, 3\)"),
        (lambda x: F.argmax(x[:0], 0), r"ArgMax: axis 0 for shape \(0, 3\)"),
        (lambda x: F.mean(x[:0]), r"mean: no elements along axis None of shape \(0, 3\)"),
        (lambda x: F.mean(x, 7), r"mean: axis 7 does not exist: there are 2 axes"),
        (lambda x: x[2], r"GetItem: index 2 for shape \(2, 3\)"),
        (lambda x: x[0, 0, 0], r"GetItem: index \(0, 0, 0\) for shape \(2, 3\)"),
    ],
)
def test_invalid_input_is_explained(call, message: str) -> None:
    with pytest.raises((ArgumentError, OutOfRange, ShapeError), match=message):
        call(Variable(X))


def test_an_index_out_of_range_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        Variable(X)[0, 5]


def test_rows_can_be_looped_over() -> None:
    rows = list(Variable(X))
    assert [row.shape for row in rows] == [(3,), (3,)]
    with pytest.raises(TypeError):
        list(Variable(np.array(1.0)))


def test_a_variable_is_an_index() -> None:
    x, index = Variable(X), Variable(np.array([1, 1]))
    F.get_item(x, index).backward()
    assert x.grad.data.tolist() == [[0, 0, 0], [2, 2, 2]]


def test_equal_maxima_get_equal_parts_of_the_gradient() -> None:
    x = Variable(np.array([1.0, 3.0, 3.0]))
    F.max(x).backward()
    assert x.grad.data.tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize("op", [F.maximum, F.minimum])
def test_equal_inputs_get_half_of_the_gradient_each(op) -> None:
    x, y = Variable(np.ones(2)), Variable(np.ones(2))
    op(x, y).backward()
    assert x.grad.data.tolist() == y.grad.data.tolist() == [0.5, 0.5]


def test_clip_passes_the_gradient_at_its_bounds() -> None:
    x = Variable(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))
    F.clip(x, -1, 1).backward()
    assert x.grad.data.tolist() == [0, 1, 1, 1, 0]


def test_clip_passes_each_gradient_to_one_input() -> None:
    x, low, high = (Variable(np.array(a)) for a in ([0.0, 2, 5, 2], [1.0, 2, 3, 4], [4.0, 4, 4, 1]))
    y = F.clip(x, low, high)
    y.backward()
    np.testing.assert_array_equal(y.data, [1, 2, 4, 1])  # in the last, low > high
    np.testing.assert_array_equal(x.grad.data, [0, 1, 0, 0])  # at a tie the gradient goes to x
    np.testing.assert_array_equal(low.grad.data, [1, 0, 0, 0])
    np.testing.assert_array_equal(high.grad.data, [0, 0, 1, 1])


def test_abs_has_derivative_0_at_0() -> None:
    x = Variable(np.array([-2.0, 0.0, 2.0]))
    abs(x).backward()
    assert x.grad.data.tolist() == [-1, 0, 1]


def test_argmax_returns_the_first_maximum_without_a_graph() -> None:
    y = F.argmax(Variable(np.array([[1, 2, 2], [5, 5, 4]])), axis=-1)
    assert y.data.tolist() == [1, 0]
    assert not y.requires_grad


def test_methods_compute_the_same_as_functions() -> None:
    x = Variable(X)
    assert float(x.mean()) == 2.5
    assert x.max(axis=0).data.tolist() == [3, 4, 5]
    assert x.min(axis=-1, keepdims=True).data.tolist() == [[0], [3]]


arrays = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-9, 9))


@given(x=arrays, data=st.data())
def test_indexing_agrees_with_numpy_on_every_backend(x, data) -> None:
    index = data.draw(
        hnp.basic_indices(x.shape)
        | st.lists(st.integers(0, len(x) - 1), min_size=1)
        | hnp.arrays(np.bool_, x.shape).map(lambda mask: mask.tolist())
    )
    host_index = np.array(index) if isinstance(index, list) else index
    expected = x[host_index]
    values = np.cos(np.arange(expected.size)).reshape(expected.shape)
    scattered = np.zeros_like(x)
    np.add.at(scattered, host_index, values)
    with strict.frozen():
        for name in ("numpy", "strict", "cuda"):
            backend = get_backend(name)
            v = Variable(backend.from_numpy(x))
            y = v[index]
            np.testing.assert_array_equal(backend.to_numpy(y.data), expected)
            y.grad = Variable(backend.from_numpy(values))
            y.backward()
            np.testing.assert_allclose(backend.to_numpy(v.grad.data), scattered, atol=1e-12)


@given(
    x=hnp.arrays(np.float64, (2, 5, 6), elements=st.floats(-9, 9)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 6)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_windows_and_padding_agree_on_every_backend(x, kernel, stride, dilation, pad) -> None:
    kernel = tuple(
        min(k, (length - 1) // d + 1) for k, d, length in zip(kernel, dilation, (5, 6), strict=True)
    )
    widths = ((0, 0), pad, pad[::-1])
    padded = np.pad(x, widths, constant_values=-3.0)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, (-2, -1))
    windows = windows[:, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    expected = np.moveaxis(windows, (-2, -1), (1, 2))
    with strict.frozen():
        for name in ("numpy", "strict", "cuda"):
            backend = get_backend(name)
            got = backend.sliding_windows(
                backend.pad(backend.from_numpy(x), widths, -3.0), kernel, stride, dilation
            )
            np.testing.assert_array_equal(backend.to_numpy(got), expected)


def test_the_portable_scatter_add_works_without_numpy() -> None:
    xp = array_api_strict
    index, values = xp.asarray([2, 0, 2]), xp.asarray([1.0, 2.0, 3.0])
    got = portable.scatter_add(ArrayBackend(xp), xp.zeros(3), index, values)
    assert [float(got[i]) for i in range(3)] == [2, 0, 4]


def test_an_error_of_reshape_with_an_unknown_length_stays_as_it_is() -> None:
    traced = SimpleNamespace(shape=(None, 3))
    assert F.shape.Reshape((-1,)).diagnose(traced) is None
