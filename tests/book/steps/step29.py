"""Step 29: run Newton's method with a second derivative written by hand."""

import numpy as np

import dezero

if not dezero.is_simple_core:
    from dezero.core_simple import Variable, setup_variable

    setup_variable()

ITERATIONS = 10


def f(x):
    return x**4 - 2 * x**2


def gx2(x):
    return 12 * x**2 - 4


def main():
    x = Variable(np.array(2.0))
    for _ in range(ITERATIONS):
        y = f(x)
        x.cleargrad()
        y.backward()
        x.data -= x.grad / gx2(x.data)
    assert x.data == 1.0
