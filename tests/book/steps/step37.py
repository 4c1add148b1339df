"""Step 37: apply elementwise functions to tensors."""

import numpy as np

import dezero.functions as F
from dezero import Variable


def main():
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    c = Variable(np.array([[10, 20, 30], [40, 50, 60]]))
    np.testing.assert_allclose(F.sin(x).data, np.sin(x.data))
    t = x + c
    y = F.sum(t)
    y.backward(retain_grad=True)
    assert y.data == 231
    assert y.grad.data == 1 and t.grad.data.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert x.grad.data.tolist() == c.grad.data.tolist() == [[1, 1, 1], [1, 1, 1]]
