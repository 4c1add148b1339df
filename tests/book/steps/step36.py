"""Step 36: differentiate a formula that contains a gradient."""

import numpy as np

from dezero import Variable


def main():
    x = Variable(np.array(2.0))
    y = x**2
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    z = gx**3 + y
    z.backward()
    assert x.grad.data == 100.0
