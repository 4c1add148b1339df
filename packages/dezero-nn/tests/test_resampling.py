"""Pooling by PyTorch's names, and interpolation: special cases and bad input.

The op table checks the values.
"""

import math

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import get_backend
from dezero_nn import functions as F

X1, X2, X3 = np.arange(10.0).reshape(1, 2, 5), np.ones((1, 4, 6, 4)), np.ones((1, 2, 2, 4, 4))


def test_the_stride_of_pooling_is_the_kernel_size() -> None:
    assert F.max_pool2d(X2, 2).shape == (1, 4, 3, 2)
    assert F.avg_pool3d(X3, (1, 2, 4)).shape == (1, 2, 2, 2, 1)
    assert F.pooling(X2, 2).shape == (1, 4, 5, 3)


def test_ceil_mode_keeps_the_elements_that_are_left_over() -> None:
    assert F.max_pool1d(X1, 2).data.tolist() == [[[1, 3], [6, 8]]]
    assert F.max_pool1d(X1, 2, ceil_mode=True).data.tolist() == [[[1, 3, 4], [6, 8, 9]]]
    assert F.avg_pool1d(X1, 2, ceil_mode=True).data.tolist() == [[[0.5, 2.5, 4], [5.5, 7.5, 9]]]


def test_pooling_of_integers_and_half_precision() -> None:
    integers = -X1.astype("int64") - 1
    assert F.max_pool1d(integers, 3, padding=1, ceil_mode=True).data.max() == -1
    assert F.max_pool1d(integers, 2, dilation=2).dtype == "int64"
    assert F.avg_pool2d(X2.astype("float16"), 2).dtype == "float16"
    assert F.adaptive_avg_pool2d(X2.astype("float16"), 3).dtype == "float16"


def test_the_first_of_equal_maxima_gets_the_gradient(backend: str) -> None:
    library = get_backend(backend)
    for pool in (lambda x: F.max_pool3d(x, 2), lambda x: F.max_pool3d(x, 2, dilation=1, padding=0)):
        x = Variable(library.from_numpy(np.ones((1, 1, 2, 2, 2))))
        pool(x).backward()
        assert library.to_numpy(x.grad.data).ravel().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    x = Variable(library.from_numpy(np.ones((1, 1, 3))))
    F.max_pool1d(x, 2, dilation=2).backward()
    assert library.to_numpy(x.grad.data).ravel().tolist() == [1, 0, 0]


def test_none_keeps_the_length_of_an_axis() -> None:
    assert F.adaptive_avg_pool2d(X2, (None, 3)).shape == (1, 4, 6, 3)
    assert F.adaptive_max_pool2d(X2, (1, None)).shape == (1, 4, 1, 4)


def test_nearest_interpolation_copies_infinite_elements() -> None:
    x = np.array([[[1.0, np.inf, -np.inf]]])
    for mode in ("nearest", "nearest-exact"):
        y = F.interpolate(x, scale_factor=2, mode=mode)
        assert y.data.tolist() == [[[1, 1, np.inf, np.inf, -np.inf, -np.inf]]]


def test_nearest_interpolation_by_factors_that_are_not_integers() -> None:
    x = np.array([[[1.0, 2.0]]])
    for factor, exact, expected in [
        (2.4, False, [1, 1, 1, 2]),
        (1.25, False, [1, 1]),
        (3.2, False, [1, 1, 1, 1, 2, 2]),
        (2.4, True, [1, 1, 2, 2]),
        (2, False, [1, 1, 2, 2]),
    ]:
        mode = "nearest-exact" if exact else "nearest"
        y = F.interpolate(x, scale_factor=factor, mode=mode)
        assert y.data.tolist() == [[expected]], (factor, mode)


def test_nearest_interpolation_keeps_integers() -> None:
    labels = np.array([[[[1, 2], [3, 4]]]])
    y = F.interpolate(labels, size=(3, 2))
    assert y.dtype == "int64"
    assert y.data.tolist() == [[[[1, 2], [1, 2], [3, 4]]]]
    assert F.interpolate(labels, size=3, mode="bilinear").dtype == "float64"


def test_interpolation_to_the_same_size_changes_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 7))
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        np.testing.assert_allclose(F.interpolate(x, size=(5, 7), mode=mode).data, x, atol=1e-15)
    y = F.interpolate(x, size=(9, 13), mode="bilinear", align_corners=True)
    np.testing.assert_allclose(y.data[:, :, ::2, ::2], x, atol=1e-15)


def test_interpolation_of_long_signals_in_single_precision() -> None:
    ramp = np.arange(1000, dtype="float32").reshape(1, 1, -1)
    y = F.interpolate(ramp, size=1999, mode="linear", align_corners=True)
    np.testing.assert_allclose(y.data[0, 0], np.arange(1999) / 2, rtol=1e-6)


@pytest.mark.parametrize("position", [3 * k for k in range(1, 22)])
def test_nearest_positions_that_are_integers(position: int) -> None:
    y = F.interpolate(np.arange(position / 3).reshape(1, 1, -1), size=position)
    assert y.data.ravel().tolist() == [i // 3 for i in range(position)]


@pytest.mark.parametrize("align_corners", [False, True])
def test_the_identity_grid_returns_the_images(align_corners: bool) -> None:
    for shape in ((2, 3, 4, 5), (1, 2, 3, 1, 2)):
        x, n = np.random.default_rng(0).normal(size=shape), len(shape) - 2
        theta = np.tile(np.eye(n, n + 1), (shape[0], 1, 1))
        grid = F.affine_grid(theta, shape, align_corners)
        for mode in ("bilinear", "nearest"):
            y = F.grid_sample(x, grid, mode, align_corners=align_corners)
            np.testing.assert_allclose(y.data, x, atol=1e-12)


def test_positions_that_are_not_finite_are_outside() -> None:
    grid = Variable(np.array([[[[np.nan, 0.0], [np.inf, 0.0], [0.0, -np.inf], [0.0, 0.0]]]]))
    y = F.grid_sample(np.full((1, 1, 3, 3), 7.0), grid)
    assert y.data.tolist() == [[[[0, 0, 0, 7]]]]
    y.sum().backward()
    assert np.isfinite(grid.grad.data).all()


def test_pixel_unshuffle_is_the_inverse_of_pixel_shuffle() -> None:
    x = np.random.default_rng(0).normal(size=(2, 8, 3, 2))
    assert np.array_equal(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2).data, x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.max_pool2d(X1[0], 2), r"max_pool2d: x \(2, 5\): expected \(N, C, H, W\) or"),
        (lambda: F.max_pool1d(X1, 6), r"max_pool1d: a kernel of \(6,\).* does not fit into \(5,\)"),
        (lambda: F.max_pool2d(X2, 2, padding=2), "max_pool2d: padding .* more than half"),
        (
            lambda: F.max_pool2d(X2, (2, 2, 2)),
            "max_pool2d: kernel_size .* is neither an integer nor a pair",
        ),
        (lambda: F.max_pool2d(X2, 0), "kernel_size 0"),
        (lambda: F.max_pool1d(X1[..., :1], 2, 1, 1, 2), "padding 1 has no element of an axis"),
        (lambda: F.avg_pool2d(X2, 2, 0), "stride 0"),
        (lambda: F.avg_pool2d(X2, 2, divisor_override=0), "divisor_override is 0"),
        (lambda: F.lp_pool2d(X2, 0, 2), "norm_type 0: expected a number above 0"),
        (lambda: F.adaptive_avg_pool2d(X2, 0), "output_size 0 is below 1"),
        (lambda: F.adaptive_avg_pool2d(X2, (1, 2, 3)), "expected an integer, or 2 of them"),
        (lambda: F.adaptive_max_pool2d(X2[:, :, :0], 2), r"x \(1, 4, 0, 4\).*with elements"),
        (lambda: F.interpolate(X2), "neither of size and scale_factor"),
        (lambda: F.interpolate(X2, 2, 2.0), "both of size and scale_factor"),
        (lambda: F.interpolate(X2, 2, mode="cubic"), "mode 'cubic' .* bilinear or bicubic"),
        (lambda: F.interpolate(X1, 2, mode="bilinear"), "nearest-exact, area, linear"),
        (lambda: F.interpolate(X2, 2, align_corners=True), "align_corners True with mode"),
        (lambda: F.interpolate(X2, scale_factor=-1), "scale_factor -1: expected a positive"),
        (lambda: F.interpolate(X2, scale_factor=0.1), "expected at least one element"),
        (lambda: F.interpolate(X2, scale_factor=math.nan), "scale_factor nan: expected a positive"),
        (lambda: F.interpolate(X2, scale_factor=math.inf), "inf: expected a positive finite"),
        (lambda: F.interpolate(X2, scale_factor=1e308), "1e.308: expected a positive finite"),
        (lambda: F.interpolate(X2, scale_factor=1e300), r"less than 2\*\*31 along each axis"),
        (lambda: F.interpolate(X2, 2**40), r"less than 2\*\*31 along each axis"),
        (lambda: F.interpolate(X2, scale_factor=(1, 2, 3)), "positive finite number, or 2"),
        (lambda: F.interpolate(X2, 0), "expected at least one element"),
        (lambda: F.interpolate(X1[0], 2), r"interpolate: x \(2, 5\): expected \(N, C, L\)"),
        (lambda: F.affine_grid(np.ones((1, 2, 2)), X2.shape), r"affine_grid: theta \(1, 2, 2\)"),
        (lambda: F.grid_sample(X2, X1), r"grid_sample: x .*, grid \(1, 2, 5\): expected"),
        (lambda: F.grid_sample(X2, X2[..., :2], "bicubic"), "mode 'bicubic': expected bilinear or"),
        (lambda: F.grid_sample(X2, X2[..., :2], padding_mode="wrap"), "zeros or border or refl"),
        (lambda: F.pixel_shuffle(X2, 3), r"pixel_shuffle: .*expected \(..., C \* 9, H, W\)"),
        (lambda: F.pixel_unshuffle(X2, 4), r"expected \(..., C, 4 H, 4 W\)"),
    ],
)
def test_bad_input_is_explained(call, message: str) -> None:
    with pytest.raises((ShapeError, ArgumentError), match=message):
        call()
