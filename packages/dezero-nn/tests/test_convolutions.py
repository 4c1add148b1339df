"""Convolutions over one and three axes: special cases and bad input; the op table has the rest."""

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentError, ShapeError
from dezero_nn import functions as F

X1, X2, X3 = np.ones((2, 4, 5)), np.ones((2, 4, 5, 6)), np.ones((1, 2, 3, 4, 5))
W1, W2, W3 = np.ones((6, 4, 3)), np.ones((6, 4, 3, 3)), np.ones((4, 2, 2, 2, 2))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_same_keeps_the_size(kernel: int, dilation: int) -> None:
    settings = {"padding": "same", "dilation": dilation}
    assert F.conv1d(X1, np.ones((1, 4, kernel)), **settings).shape == (2, 1, 5)
    assert F.conv2d(X2, np.ones((1, 4, kernel, 2)), **settings).shape == (2, 1, 5, 6)
    assert F.conv3d(X3, np.ones((1, 2, 2, kernel, 2)), **settings).shape == (1, 1, 3, 4, 5)


def test_padding_valid_and_padding_by_the_name_of_pytorch() -> None:
    y = F.conv2d(X2, W2, pad=1, stride=2)
    assert np.array_equal(F.conv2d(X2, W2, padding=1, stride=2).data, y.data)
    assert F.conv2d(X2, W2, padding="valid", stride=2).shape == (2, 6, 2, 2)


def test_one_example_without_a_batch_axis() -> None:
    assert np.array_equal(F.conv1d(X1[0], W1).data, F.conv1d(X1, W1).data[0])
    assert F.conv_transpose3d(X3[0], W3[:2]).shape == (2, 4, 5, 6)


def test_half_precision_and_integers() -> None:
    assert F.conv1d(X1.astype("float16"), W1.astype("float16")).dtype == "float16"
    assert F.conv3d(X3.astype("int64"), W3.astype("float32")).dtype == "float32"


def test_convolution_and_its_transpose_are_adjoint() -> None:
    draw = np.random.default_rng(0)
    x, W = draw.normal(size=(1, 2, 5, 4, 6)), draw.normal(size=(4, 1, 2, 3, 1))
    settings = {"stride": (2, 1, 2), "padding": (1, 1, 0), "dilation": (2, 1, 1), "groups": 2}
    y = F.conv3d(x, W, **settings)
    v = draw.normal(size=y.shape)
    more = tuple(n - m for n, m in zip(x.shape[2:], F.conv_transpose3d(v, W, **settings).shape[2:],
                                       strict=True))  # fmt: skip
    back = F.conv_transpose3d(v, W, output_padding=more, **settings)
    assert float((y * v).sum()) == pytest.approx(float((x * back).sum()))


def test_fold_adds_the_windows_of_unfold() -> None:
    x = Variable(np.arange(16.0).reshape(1, 1, 4, 4))
    windows = F.unfold(x, 2, stride=2)
    assert windows.shape == (1, 4, 4)
    assert np.array_equal(F.fold(windows, 4, 2, stride=2).data, x.data)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.conv1d(X2, W1), r"conv1d: x \(2, 4, 5, 6\), W .*expected x \(N, C, L\)"),
        (lambda: F.conv1d(X1, W1[:, :3]), r"W \(OC, C / groups, K\) with the same C"),
        (lambda: F.conv1d(X1, W1, np.ones(5)), r"conv1d: b \(5,\): expected \(6,\)"),
        (lambda: F.conv1d(X1, W1[:5, :2], groups=2), "conv1d: groups 2 does not divide"),
        (lambda: F.conv1d(X1, np.ones((1, 4, 6))), r"conv1d: a kernel of \(6,\).* smaller kernel"),
        (lambda: F.conv3d(X3, W3, dilation=3), r"dilation \(3, 3, 3\) does not fit"),
        (
            lambda: F.conv3d(X3, W3, stride=(1, 2)),
            r"conv3d: stride \(1, 2\) is neither an integer nor 3 integers",
        ),
        (lambda: F.conv1d(X1, W1, stride=0), "stride 0"),
        (lambda: F.conv1d(X1, W1, padding="full"), "conv1d: padding 'full': expected integers"),
        (lambda: F.conv1d(X1, W1, padding="same", stride=2), "expected stride 1"),
        (lambda: F.conv2d(X2, W2[0], padding="same"), "W .* must be"),
        (lambda: F.conv2d(X2, W2, padding="same", stride=(1, 2)), "expected stride 1"),
        (lambda: F.conv_transpose1d(X1, W1), r"conv_transpose1d: .* \(C, OC / groups, K\)"),
        (lambda: F.conv_transpose2d(X2, W2[:4], output_padding=1), "less than stride"),
        (lambda: F.conv_transpose2d(X2, W2[:4], padding=5), "take less padding"),
        (lambda: F.fold(X1, 4, 2), r"fold: x \(2, 4, 5\), output_size \(4, 4\): expected \(N, C"),
        (lambda: F.fold(X1[0], 4, 2), "fold: x"),
        (lambda: F.unfold(X2, 7), "does not fit"),
    ],
)
def test_bad_input_is_explained(call, message: str) -> None:
    with pytest.raises((ShapeError, ArgumentError), match=message):
        call()
