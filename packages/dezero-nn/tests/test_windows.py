"""Windows over images: sizes, settings that make no sense, and what the rows do not say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dezero_core import Buffer, Variable, test_mode
from dezero_core.errors import ArgumentError, DezeroError, ShapeError
from dezero_core.extend import get_backend, kernel_log
from dezero_nn import BatchNorm, get_conv_outsize, get_deconv_outsize, pair
from dezero_nn import functions as F

X = np.arange(32.0).reshape(1, 2, 4, 4)
W = np.ones((3, 2, 3, 3))


@pytest.mark.parametrize("given", [3, np.int64(3), [3, 3], (3, np.int32(3))])
def test_pair_takes_one_integer_or_two(given) -> None:
    assert pair(given) == (3, 3)


@pytest.mark.parametrize("given", [1.5, (1, 2, 3), (1,), "ab", None, (1, 2.0)])
def test_pair_refuses_everything_else(given) -> None:
    with pytest.raises(ArgumentError, match="neither an integer nor a pair") as caught:
        pair(given)
    assert isinstance(caught.value, ValueError)


def test_get_conv_outsize() -> None:
    assert get_conv_outsize(4, 3, 1, 1) == 4
    assert get_conv_outsize(7, 3, 2, 0) == 3
    assert get_conv_outsize(7, 3, 1, 0, dilation=2) == 3
    with pytest.raises(ArgumentError, match="kernel_size 3, stride 0, pad 1"):
        get_conv_outsize(4, 3, 0, 1)


@given(n=st.integers(1, 9), k=st.integers(1, 4), s=st.integers(1, 3), d=st.integers(1, 3))
def test_get_deconv_outsize_is_the_smallest_that_gives_so_many_windows(n, k, s, d) -> None:
    size = get_deconv_outsize(n, k, s, 1, d)
    assert [get_conv_outsize(size + more, k, s, 1, d) - n for more in (-1, 0, s - 1, s)] == [
        -1,
        0,
        0,
        1,
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: F.conv2d(X, np.ones((3, 1, 3, 3))),
            r"W \(3, 1, 3, 3\), groups 1: x must be",
        ),
        (lambda: F.conv2d(X[0], W), r"x \(2, 4, 4\), W \(3, 2, 3, 3\)"),
        (lambda: F.conv2d(X, W, np.ones(2)), r"b \(2,\), groups 1: x must be \(N"),
        (lambda: F.conv2d(X, np.ones((1, 2, 5, 5))), r"a kernel of \(5, 5\) does not fit into"),
        (lambda: F.conv2d(X, W, stride=0), "conv2d: stride 0 is below 1"),
        (lambda: F.conv2d(X, W, pad=-1), "pad -1 is below 0"),
        (lambda: F.conv2d(X, W, dilation=0), "dilation 0"),
        (lambda: F.conv2d(X, W, dilation=2), r"with pad \(0, 0\) and dilation \(2, 2\)"),
        (lambda: F.conv2d(X, W[:, :1], groups=2), "groups 2 does not divide.* 2 in and 3 out"),
        (lambda: F.conv2d(X, W, groups=2), r"W \(3, 2, 3, 3\), groups 2: x must be \(N, C, H, W\)"),
        (lambda: F.conv2d(X, W[:, :0], groups=0), "groups 0: x must be"),
        (lambda: F.deconv2d(X, W), r"deconv2d: x .*, W \(3, 2, 3, 3\).* \(C, OC / groups, KH"),
        (lambda: F.deconv2d(X, W[:2], np.ones(3)), r"b \(3,\)"),
        (
            lambda: F.deconv2d(X, W[:2], outsize=(7, 6)),
            r"of \(7, 6\) gives \(4, 4\); outsize must be",
        ),
        (lambda: F.deconv2d(X, W[:2], stride=0), "stride 0"),
        (lambda: F.deconv2d(X, W[:2], pad=5), r"no convolution of \(-4, -4\)"),
        (lambda: F.conv2d_simple(X, np.ones((3, 1, 3, 3))), "with the same C"),
        (lambda: F.im2col(X[0], 2), r"images have the shape \(N, C, H, W\), got \(2, 4, 4\)"),
        (lambda: F.im2col(X, 0), "kernel_size 0"),
        (lambda: F.col2im(np.ones((3, 4)), (1, 2, 4, 4), 2), "Reshape: 12 elements"),
        (lambda: F.col2im(np.ones((1, 2, 2, 2, 3, 4)), X.shape, 2, to_matrix=False), "Col2im: win"),
        (lambda: F.pooling(X, 5), "does not fit"),
        (lambda: F.pooling(X, 2, 0), "stride 0"),
        (lambda: F.pooling(X, 2, 1, 2), r"pad \(2, 2\) is not smaller than kernel_size \(2, 2\)"),
        (lambda: F.pooling_simple(X, 2, 1, 2), "is not smaller"),
        (lambda: F.average_pooling(X[0, 0], 2), "images have the shape"),
        (
            lambda: F.mean_squared_error(np.ones((3, 1)), np.ones((1, 3))),
            r"shapes \(3, 1\) and \(1, 3\)",
        ),
        (lambda: F.softmax(np.ones(3)), r"Softmax: axis 1 for shape \(3,\); give axis=-1"),
        (lambda: F.log_softmax(np.ones(3)), "LogSoftmax: axis 1"),
        (lambda: F.batch_norm(X, np.ones(3), np.ones(2), None, None), r"gamma \(3,\), beta \(2,\)"),
        (lambda: F.batch_norm(X[:0], np.ones(2), np.ones(2), None, None), "no elements"),
    ],
)
def test_bad_input_is_explained(call, message: str) -> None:
    with pytest.raises((ShapeError, ArgumentError), match=message) as caught:
        call()
    assert isinstance(caught.value, ValueError)


def test_images_of_two_backends_are_refused(backend: str) -> None:
    filters = get_backend(backend).from_numpy(W)
    if backend == "numpy":
        assert F.conv2d(X, filters).shape == (1, 3, 2, 2)
        return
    with pytest.raises(DezeroError, match="Conv2d got"):
        F.conv2d(X, filters)


def test_padding_is_never_the_largest(backend: str) -> None:
    x = get_backend(backend).from_numpy(np.full((1, 1, 2, 2), -1.0))
    for op in (F.pooling, F.pooling_simple):
        y = op(Variable(x), 3, 1, 1)
        assert get_backend(backend).to_numpy(y.data).tolist() == [[[[-1, -1], [-1, -1]]]]


def test_the_first_of_equals_gets_the_gradient(backend: str) -> None:
    x = Variable(get_backend(backend).from_numpy(np.ones((1, 1, 2, 2))))
    F.pooling(x, 2).backward()
    assert get_backend(backend).to_numpy(x.grad.data).tolist() == [[[[1, 0], [0, 0]]]]


def test_a_convolution_without_gradient_for_its_images_does_not_compute_one() -> None:
    w = Variable(W)
    with kernel_log() as ran:
        F.conv2d(X, w).backward()
    assert [run.op for run in ran] == ["conv2d", "conv2d_grad_W"]


def test_batch_norm_keeps_running_statistics(backend: str) -> None:
    library = get_backend(backend)
    draw = np.random.default_rng(0)
    layer = BatchNorm().to(backend)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = draw.normal(2.0, 3.0, (5, 3))
        y = layer(library.from_numpy(x))
        np.testing.assert_allclose(library.to_numpy(y.data).mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(library.to_numpy(y.data).std(axis=0), 1, atol=1e-4)
        mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0, ddof=1)
    np.testing.assert_allclose(library.to_numpy(layer.avg_mean.data), mean)
    np.testing.assert_allclose(library.to_numpy(layer.avg_var.data), var)
    with test_mode():
        y = F.batch_norm(
            library.from_numpy(x), layer.gamma, layer.beta, layer.avg_mean, layer.avg_var
        )
    np.testing.assert_allclose(library.to_numpy(y.data), (x - mean) / np.sqrt(var + 2e-5))
    assert not layer.avg_mean.requires_grad
    assert list(layer.named_params()) == ["avg_mean", "avg_var", "gamma", "beta"]
    assert [p.name for p in layer.params()] == ["gamma", "beta"]


def test_batch_norm_writes_to_arrays_that_allow_it() -> None:
    x, ones, mean, var = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), np.ones(1)
    F.batch_norm(x, ones, ones, mean, var, decay=0.5)
    assert (mean[0], var[0]) == (1.0, 1.5)
    frozen = get_backend("strict").from_numpy
    with pytest.raises(ArgumentError, match="backend strict does not declare in_place"):
        F.batch_norm(frozen(x), frozen(ones), frozen(ones), frozen(mean), frozen(var))
    kept = Buffer(frozen(mean))
    F.batch_norm(frozen(x), frozen(ones), frozen(ones), kept, Buffer(frozen(var)), 0.5)
    assert float(kept) == 1.5
