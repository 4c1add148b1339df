"""Step 34: compute the sine and its first three derivatives over a range."""

import numpy as np

import dezero.functions as F
from dezero import Variable

ITERATIONS = 3


def main():
    x = Variable(np.linspace(-7, 7, 200))
    y = F.sin(x)
    y.backward(create_graph=True)
    logs = [y.data]
    for _ in range(ITERATIONS):
        logs.append(x.grad.data)
        gx = x.grad
        x.cleargrad()
        gx.backward(create_graph=True)
    expected = [np.sin(x.data), np.cos(x.data), -np.sin(x.data), -np.cos(x.data)]
    np.testing.assert_allclose(logs, expected, atol=1e-15)
