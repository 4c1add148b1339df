"""Step 26: draw the graph of the Goldstein-Price function."""

import numpy as np

from dezero import Variable
from dezero.utils import get_dot_graph, plot_dot_graph


def goldstein(x, y):
    first = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    second = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return first * second


def main():
    x, y = Variable(np.array(1.0)), Variable(np.array(1.0))
    z = goldstein(x, y)
    z.backward()
    x.name, y.name, z.name = "x", "y", "z"
    plot_dot_graph(z, verbose=False, to_file="goldstein.png")
    text = get_dot_graph(z, verbose=False)
    assert (x.grad.data, y.grad.data) == (-5376.0, 8064.0)
    assert all(f'label="{name}"' in text for name in "xyz") and text.count("box") > 20
