"""Choosing elementwise: by a condition, or the larger of two."""

from __future__ import annotations

from typing import Any

from ..function import Function, array_of
from ..variable import Variable, as_array_like, get_array_module


class Where(Function):
    """y = x0 where the condition holds, else x1; each gets the gradient where it was chosen."""

    broadcasts = True

    def forward(self, condition: Any, x0: Any, x1: Any) -> Any:
        xp = get_array_module(condition)
        return xp.where(condition, as_array_like(x0, x1), as_array_like(x1, x0))

    def backward(self, gy: Any) -> Any:
        condition, _, _ = self.inputs
        _, need0, need1 = self.needs_grad
        return (
            None,
            where(condition, gy, 0.0) if need0 else None,
            where(condition, 0.0, gy) if need1 else None,
        )


def where(condition: Any, x0: Any, x1: Any) -> Variable:
    """Return ``x0`` where ``condition`` is true, else ``x1``; shapes broadcast.

    Args:
        condition: an array of bools; no gradient flows to it.
        x0, x1: arrays, Variables, or at most one Python scalar.
    """
    return Where()(array_of(condition), x0, x1)


class Maximum(Function):
    """y = max(x0, x1);  the larger gets the gradient, of equals each gets half."""

    broadcasts = True

    def forward(self, x0: Any, x1: Any) -> Any:
        x0, x1 = as_array_like(x0, x1), as_array_like(x1, x0)
        xp = get_array_module(x0)
        return xp.maximum(x0, x1)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.inputs
        need0, need1 = self.needs_grad
        half = gy * 0.5
        return (
            where(x1 > x0, 0.0, half) + where(x0 > x1, half, 0.0) if need0 else None,
            where(x0 > x1, 0.0, half) + where(x1 > x0, half, 0.0) if need1 else None,
        )


def maximum(x0: Any, x1: Any) -> Variable:
    """Return the larger of ``x0`` and ``x1``, elementwise; shapes broadcast.

    At ties each side gets half of the gradient, as in PyTorch.
    """
    return Maximum()(x0, x1)
