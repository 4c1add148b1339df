"""Step 54: apply dropout in training and in test mode."""

import numpy as np

import dezero.functions as F
from dezero import test_mode


def main():
    x = np.ones(5)
    y = F.dropout(x)
    assert set(y.data.tolist()) <= {0.0, 2.0}
    with test_mode():
        assert F.dropout(x).data.tolist() == [1.0] * 5
