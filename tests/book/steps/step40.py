"""Step 40: broadcast arrays, and sum them to their first shape."""

import numpy as np

import dezero.functions as F
from dezero import Variable


def main():
    x0, x1 = Variable(np.array([1, 2, 3])), Variable(np.array([10]))
    y = x0 + x1
    y.backward()
    assert y.data.tolist() == [11, 12, 13]
    assert x1.grad.data.tolist() == [3] and x0.grad.data.tolist() == [1, 1, 1]
    assert F.broadcast_to(x1, (2, 3)).data.tolist() == [[10] * 3] * 2
    assert F.sum_to(Variable(np.array([[1, 2, 3], [4, 5, 6]])), (1, 3)).data.tolist() == [[5, 7, 9]]
