"""Step 39: sum arrays over axes."""

import numpy as np

import dezero.functions as F
from dezero import Variable


def main():
    x = Variable(np.array([1, 2, 3, 4, 5, 6]))
    y = F.sum(x)
    y.backward()
    assert y.data == 21 and x.grad.data.tolist() == [1] * 6
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    y = F.sum(x)
    y.backward()
    assert y.data == 21 and x.grad.data.tolist() == [[1, 1, 1], [1, 1, 1]]
    x.cleargrad()
    y = F.sum(x, axis=0)
    y.backward()
    assert y.data.tolist() == [5, 7, 9] and x.grad.data.tolist() == [[1, 1, 1], [1, 1, 1]]
    x = Variable(np.random.randn(2, 3, 4, 5))
    assert x.sum(keepdims=True).shape == (1, 1, 1, 1)
