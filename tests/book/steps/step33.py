"""Step 33: run Newton's method with a second derivative from double backward."""

import numpy as np

from dezero import Variable

ITERATIONS = 10


def f(x):
    return x**4 - 2 * x**2


def main():
    x = Variable(np.array(2.0))
    y = f(x)
    y.backward(create_graph=True)
    assert x.grad.data == 24.0
    gx = x.grad
    x.cleargrad()
    gx.backward()
    assert x.grad.data == 44.0

    for _ in range(ITERATIONS):
        y = f(x)
        x.cleargrad()
        y.backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward()
        gx2 = x.grad
        x.data -= gx.data / gx2.data
    assert x.data == 1.0
