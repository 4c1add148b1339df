"""Step 27: differentiate the Taylor series of the sine."""

import math

import numpy as np

from dezero import Function, Variable
from dezero.utils import get_dot_graph, plot_dot_graph


class Sin(Function):
    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        x = self.inputs[0].data
        return gy * np.cos(x)


def sin(x):
    return Sin()(x)


def my_sin(x, threshold=0.0001):
    y = 0
    for i in range(100000):
        term = (-1) ** i / math.factorial(2 * i + 1) * x ** (2 * i + 1)
        y = y + term
        if abs(term.data) < threshold:
            break
    return y


def main():
    x = Variable(np.array(np.pi / 4))
    y = sin(x)
    y.backward()
    exact = x.grad.data
    x.cleargrad()
    y = my_sin(x)
    y.backward()
    assert abs(y.data - math.sin(np.pi / 4)) < 1e-4
    assert abs(x.grad.data - exact) < 1e-4 and abs(exact - 2**-0.5) < 1e-15
    x.name, y.name = "x", "y"
    plot_dot_graph(y, verbose=False, to_file="my_sin.png")
    assert get_dot_graph(y, verbose=False).count("Pow") == 4
