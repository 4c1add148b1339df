"""Step 47: compute softmax and cross entropy."""

import numpy as np

import dezero.functions as F
from dezero import Variable, as_variable
from dezero.models import MLP


def softmax1d(x):
    x = as_variable(x)
    y = F.exp(x)
    return y / F.sum(y)


def main():
    np.random.seed(0)
    model = MLP((10, 3))
    x = Variable(np.array([[0.2, -0.4]]))
    p = softmax1d(model(x))
    np.testing.assert_allclose(p.data, F.softmax_simple(model(x)).data)
    np.testing.assert_allclose(p.data, F.softmax(model(x)).data)
    x = np.array([[0.2, -0.4], [0.3, 0.5], [1.3, -3.2], [2.1, 0.3]])
    t = np.array([2, 0, 1, 0])
    y = model(x)
    loss, simple = F.softmax_cross_entropy(y, t), F.softmax_cross_entropy_simple(y, t)
    np.testing.assert_allclose(loss.data, simple.data)
    loss.backward()
    assert all(param.grad is not None for param in model.params())
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    assert F.get_item(x, 1).data.tolist() == x[1].data.tolist() == [4, 5, 6]
    assert F.get_item(x, np.array([0, 0, 1])).shape == (3, 3) and x[:, 2].shape == (2,)
