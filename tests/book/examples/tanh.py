"""Run the example tanh: compute high derivatives, and draw their graphs."""

import numpy as np

import dezero.functions as F
from dezero import Variable
from dezero.utils import get_dot_graph, plot_dot_graph

ITERATIONS = 3


def main():
    x = Variable(np.array(1.0), name="x")
    y = F.tanh(x)
    y.name = "y"
    y.backward(create_graph=True)
    for i in range(ITERATIONS):
        gx = x.grad
        x.cleargrad()
        gx.backward(create_graph=True)
        x.grad.name = f"gx{i + 2}"
    plot_dot_graph(x.grad, verbose=False, to_file="tanh.png")
    t = np.tanh(1.0)
    fourth = 8 * t * (1 - t**2) * (2 - 3 * t**2)
    np.testing.assert_allclose(x.grad.data, fourth)
    assert f"gx{ITERATIONS + 1}" in get_dot_graph(x.grad, verbose=False)
