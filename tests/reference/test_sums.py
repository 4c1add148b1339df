"""Compare the error of long float32 sums with PyTorch's, for 10 to 10**7 terms.

Both are compared with PyTorch's result in float64; the table is printed at the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as T

from dezero_core import Buffer, Variable, grad
from dezero_core import functions as C
from dezero_nn import functions as N

BOUND = 1e-5


def ours_with(op: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return the gradient of ``op(x, b)`` for ``b``, two ones, with ``x`` as that of the output."""

    def run(x: Any) -> Any:
        b = Variable(np.ones(2, x.dtype))
        return grad(op(Variable(x, requires_grad=False), b), [b], x)[0].data

    return run


def theirs_with(op: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return the gradient of PyTorch's op in the same way."""

    def run(x: Any) -> Any:
        b = torch.ones(2, dtype=x.dtype, requires_grad=True)
        return torch.autograd.grad(op(x, b), [b], x)[0]

    return run


def our_statistics(x: Any) -> Any:
    ones, mean, var = np.ones(2, x.dtype), Buffer(np.zeros(2, x.dtype)), Buffer(np.ones(2, x.dtype))
    N.batch_norm(x, ones, ones, mean, var, decay=0.0)
    return np.stack([mean.data, var.data])


def their_statistics(x: Any) -> Any:
    mean, var = torch.zeros(2, dtype=x.dtype), torch.ones(2, dtype=x.dtype)
    T.batch_norm(x, mean, var, training=True, momentum=1.0)
    return torch.stack([mean, var])


def as_image(x: Any) -> Any:
    return x.T.reshape(1, 2, 1, -1)


OPS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sum": (lambda x: C.sum(x, 0).data, lambda x: x.sum(0)),
    "sum over a middle axis": (
        lambda x: C.sum(x.reshape(2, -1, 2), 1).data,
        lambda x: x.reshape(2, -1, 2).sum(1),
    ),
    "mean": (lambda x: C.mean(x, 0).data, lambda x: x.mean(0)),
    "mean of squares": (lambda x: C.mean(Variable(x) ** 2, 0).data, lambda x: (x**2).mean(0)),
    "softmax": (lambda x: N.softmax(x, 0).data, lambda x: T.softmax(x, 0)),
    "gradient of a broadcast": (ours_with(lambda x, b: x + b), theirs_with(lambda x, b: x + b)),
    "gradient of linear's b": (
        ours_with(lambda x, b: N.linear(x, np.eye(2, dtype=x.dtype), b)),
        theirs_with(lambda x, b: T.linear(x, torch.eye(2, dtype=x.dtype), b)),
    ),
    "gradient of conv2d's b": (
        lambda x: ours_with(lambda x, b: N.conv2d(x, np.ones((2, 2, 1, 1), x.dtype), b))(
            np.ascontiguousarray(as_image(x))
        ),
        lambda x: theirs_with(lambda x, b: T.conv2d(x, torch.ones((2, 2, 1, 1), dtype=x.dtype), b))(
            as_image(x).contiguous()
        ),
    ),
    "gradient of layer_norm's beta": (
        ours_with(lambda x, b: N.layer_norm(x, np.ones(2, x.dtype), b)),
        theirs_with(lambda x, b: T.layer_norm(x, (2,), torch.ones(2, dtype=x.dtype), b)),
    ),
    "batch_norm's statistics": (our_statistics, their_statistics),
}


@pytest.mark.parametrize("power", range(1, 8))
@pytest.mark.parametrize("name", OPS)
def test_the_error_does_not_grow(name: str, power: int, sum_errors: Any) -> None:
    x = np.tile(np.float32([[0.1, 0.3], [0.3, 0.1]]), (10**power // 2, 1))
    ours, theirs = OPS[name]
    expected = theirs(torch.from_numpy(x).double()).numpy()
    found = [ours(x), theirs(torch.from_numpy(x)).numpy()]
    errors = [float(np.max(np.abs(y.astype("float64") / expected - 1))) for y in found]
    sum_errors(name, *errors)
    assert errors[0] < BOUND
