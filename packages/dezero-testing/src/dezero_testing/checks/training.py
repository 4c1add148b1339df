"""Check groups of parameters, L-BFGS and averages of weights on a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dezero_core import Parameter, Variable
from dezero_core.extend import get_backend
from dezero_nn import optimizers as O

from ..check import Check
from .layers import HOST, ROWS, require_close, to_host


def training_checks() -> list[Check]:
    """Return every check of this module."""
    return [
        Check("groups", "optimizers", same_as_host(with_groups)),
        Check("LBFGS", "optimizers", same_as_host(lambda p: with_closure(p, O.LBFGS(0.1, 3)))),
        Check("LBFGS with a line search", "optimizers", same_as_host(with_line_search)),
        Check("EMA", "optimizers", same_as_host(with_averages)),
    ]


def same_as_host(train: Callable[[list[Parameter]], None]) -> Callable[[str], None]:
    """Return a check that two parameters are equal on a backend and on NumPy after ``train``."""

    def outcome(name: str) -> list[Any]:
        library = get_backend(name)
        params = [Parameter(library.from_numpy(x)) for x in (ROWS, ROWS[0] + 1)]
        train(params)
        return [to_host(p) for p in params]

    def run(name: str) -> None:
        for got, wanted in zip(outcome(name), outcome(HOST), strict=True):
            require_close(got, wanted, "parameters after the training")

    return run


def set_gradients(params: list[Parameter]) -> None:
    """Set each gradient to twice the parameter."""
    for p in params:
        p.grad = Variable((p * 2.0).data, requires_grad=False)


def with_groups(params: list[Parameter]) -> None:
    """Take two steps with weight decay for matrices only."""
    optimizer = O.AdamW(0.1, weight_decay=0.5).setup(params)
    optimizer.add_group(lambda p: p.ndim < 2, weight_decay=0.0, lr=0.2)
    for _ in range(2):
        set_gradients(params)
        optimizer.step()


def with_averages(params: list[Parameter]) -> None:
    """Take two steps of SGD, and set the parameters to their averages."""
    optimizer, ema = O.SGD(0.1).setup(params), O.EMA(params, decay=0.5)
    for _ in range(2):
        ema.update()
        set_gradients(params)
        optimizer.step()
    ema.update()
    ema.copy_to(params)


def with_closure(params: list[Parameter], optimizer: O.LBFGS) -> None:
    """Minimise a quadratic function of the parameters."""

    def closure() -> Variable:
        for p in params:
            p.cleargrad()
        loss = ((params[0] - 1.0) ** 2).sum() + (params[1] ** 2 * 3.0).sum()
        loss.backward()
        return loss

    optimizer.setup(params).step(closure)


def with_line_search(params: list[Parameter]) -> None:
    """Minimise the same function with a line search."""
    with_closure(params, O.LBFGS(max_iter=3, line_search_fn="strong_wolfe"))
