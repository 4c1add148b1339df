"""Step 57: convolve by im2col."""

import numpy as np

import dezero.functions as F
from dezero import Variable


def main():
    x1 = np.random.rand(1, 3, 7, 7)
    assert F.im2col(x1, kernel_size=5, stride=1, pad=0, to_matrix=True).shape == (9, 75)
    x2 = np.random.rand(10, 3, 7, 7)
    kernel_size, stride, pad = (5, 5), (1, 1), (0, 0)
    assert F.im2col(x2, kernel_size, stride, pad, to_matrix=True).shape == (90, 75)
    N, C, H, W = 1, 5, 15, 15
    OC, (KH, KW) = 8, (3, 3)
    x = Variable(np.random.randn(N, C, H, W))
    W = np.random.randn(OC, C, KH, KW)
    y = F.conv2d_simple(x, W, b=None, stride=1, pad=1)
    y.backward()
    assert y.shape == (1, 8, 15, 15) and x.grad.shape == (1, 5, 15, 15)
