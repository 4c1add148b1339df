"""Step 38: reshape and transpose arrays."""

import numpy as np

import dezero.functions as F
from dezero import Variable


def main():
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    y = F.reshape(x, (6,))
    y.backward(retain_grad=True)
    assert x.grad.data.tolist() == [[1, 1, 1], [1, 1, 1]]
    x.cleargrad()
    F.transpose(x).backward()
    assert x.grad.shape == (2, 3)
    x = Variable(np.random.randn(1, 2, 3))
    assert x.reshape((2, 3)).shape == x.reshape(2, 3).shape == (2, 3)
    assert x.transpose().shape == x.T.shape == (3, 2, 1)
    assert x.transpose((2, 0, 1)).shape == (3, 1, 2)
