"""Test step 57, convolution and pooling."""

import numpy as np
import pytest

import dezero.functions as F
import dezero.functions_conv
import dezero.layers as L
from dezero import Variable, cuda
from dezero.utils import pair


@pytest.fixture(params=["numpy", "cupy"])
def on(request):
    """Return a function that moves a host array to the device of the test."""
    return np.asarray if request.param == "numpy" else cuda.as_cupy


def test_im2col(on) -> None:
    x1 = on(np.random.rand(1, 3, 7, 7))
    col1 = F.im2col(x1, kernel_size=5, stride=1, pad=0, to_matrix=True)
    assert col1.shape == (9, 75)

    x2 = on(np.random.rand(10, 3, 7, 7))
    kernel_size = (5, 5)
    stride = (1, 1)
    pad = (0, 0)
    col2 = F.im2col(x2, kernel_size, stride, pad, to_matrix=True)
    assert col2.shape == (90, 75)
    first = cuda.as_numpy(x2)[0, :, :5, :5]
    assert np.array_equal(cuda.as_numpy(col2)[0], first.ravel()), "a row is a window"


def test_pair() -> None:
    assert pair(3) == (3, 3)
    assert pair((2, 1)) == (2, 1)
    with pytest.raises(ValueError):
        pair("three")
    with pytest.raises(ValueError):
        pair((1, 2, 3))


def test_conv2d_simple(on) -> None:
    N, C, H, W = 1, 5, 15, 15
    OC, (KH, KW) = 8, (3, 3)

    x = Variable(on(np.random.rand(N, C, H, W)))
    W = on(np.random.rand(OC, C, KH, KW))
    y = F.conv2d_simple(x, W, b=None, stride=1, pad=1)
    y.backward()
    assert y.shape == (1, 8, 15, 15)
    assert x.grad.shape == (1, 5, 15, 15)

    gx = x.grad
    x.cleargrad()
    same = F.conv2d(x, W, b=None, stride=1, pad=1)
    same.backward()
    np.testing.assert_allclose(cuda.as_numpy(same), cuda.as_numpy(y))
    np.testing.assert_allclose(cuda.as_numpy(x.grad), cuda.as_numpy(gx))
    assert dezero.functions_conv.conv2d_simple is F.conv2d_simple


def test_conv2d_layer(on, copies) -> None:
    x = on(np.ones((2, 5, 15, 15), "float32"))
    layer = L.Conv2d(8, kernel_size=3, stride=1, pad=1)
    assert layer.in_channels is None
    assert layer.W.data is None
    assert L.Conv2d(8, 3, in_channels=5).W.shape == (8, 5, 3, 3)
    assert L.Conv2d(8, 3, nobias=True).b is None
    if cuda.get_array_module(x) is not np:
        layer.to_gpu()
    y = layer(x)
    assert (layer.W.shape, layer.b.shape, y.shape) == ((8, 5, 3, 3), (8,), (2, 8, 15, 15))
    assert y.dtype == layer.W.dtype == np.float32
    moved = cuda.get_array_module(x) is not np
    assert copies.look() == ((3, 0) if moved else (0, 0)), "the images, b, and W when it is made"
    y.backward()
    assert layer.W.grad.shape == layer.W.shape
    assert copies.look() == (0, 0)


def test_pooling_simple(on) -> None:
    image = np.array([[1, 2, 0, 7], [4, 3, 1, 0], [0, 5, 2, 2], [6, 0, 1, 8]], "float32")
    x = on(image[np.newaxis, np.newaxis])
    y = F.pooling_simple(x, 2, stride=2)
    assert cuda.as_numpy(y).tolist() == [[[[4, 7], [6, 8]]]]
    assert F.pooling_simple(x, 2).shape == (1, 1, 3, 3), "the stride is 1 unless it is said"
    assert np.array_equal(cuda.as_numpy(F.pooling(x, 2, 2)), cuda.as_numpy(y))
    two = on(np.stack([image, -image])[np.newaxis])
    each = cuda.as_numpy(F.pooling_simple(two, 2, 2))
    assert each[0, 0].tolist() == [[4, 7], [6, 8]], "channels are apart"
    assert each[0, 1].tolist() == [[-1, 0], [0, -1]]
