"""Step 41: multiply matrices."""

import numpy as np

import dezero.functions as F
from dezero import Variable


def main():
    x, W = Variable(np.random.randn(2, 3)), Variable(np.random.randn(3, 4))
    y = F.matmul(x, W)
    y.backward()
    assert x.grad.shape == (2, 3) and W.grad.shape == (3, 4)
    np.testing.assert_allclose(x.grad.data, np.ones((2, 4)) @ W.data.T)
