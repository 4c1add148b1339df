"""Step 35: draw the graphs of high derivatives of tanh."""

import numpy as np

import dezero.functions as F
from dezero import Variable
from dezero.utils import get_dot_graph, plot_dot_graph

ITERATIONS = 4


def main():
    x = Variable(np.array(1.0))
    y = F.tanh(x)
    x.name, y.name = "x", "y"
    y.backward(create_graph=True)
    t, sizes = np.tanh(1.0), []
    expected = [1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2)]
    for i in range(ITERATIONS):
        gx = x.grad
        if i < len(expected):
            np.testing.assert_allclose(gx.data, expected[i])
        gx.name = f"gx{i + 1}"
        sizes.append(get_dot_graph(gx, verbose=False).count("box"))
        x.cleargrad()
        gx.backward(create_graph=True)
    plot_dot_graph(gx, verbose=False, to_file="tanh.png")
    assert sizes == sorted(sizes) and sizes[-1] > 3 * sizes[0], "the graphs grow"
