"""Define hooks that change gradients before an update: pass them to `Optimizer.add_hook`.

A hook replaces gradients. A hook never writes to the array of a gradient, because other Variables
may share the array.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dezero_core import Parameter, Variable, get_array_module
from dezero_core.dtypes import cast, sum_over, to_floating, to_single
from dezero_core.extend import Array, backend_of

from ..layers import Layer
from .gradients import with_gradients
from .settings import representation, setting


class WeightDecay:
    """Add ``rate * p``, the gradient of ``rate / 2 * sum(p**2)``, to each parameter's gradient.

    Args:
        rate: the factor of ``p``; at least 0.
    """

    rate: float = setting()

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __repr__(self) -> str:
        return representation(self)

    def __call__(self, params: Iterable[Parameter]) -> None:
        for param in with_gradients(params):
            assert param.grad is not None
            backend = backend_of(param.data)
            g, p = to_single(param.grad.data, backend), to_single(param.data, backend)
            set_gradient(param, g + p * self.rate)


class ClipGrad:
    """Scale all gradients by one factor, so that their global norm is at most ``max_norm``.

    The factor is computed on the device of the gradients, so the host does not wait for the result.
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.

    Args:
        max_norm: the largest norm of all gradients joined into one vector; above 0.
    """

    max_norm: float = setting(positive=True)

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __repr__(self) -> str:
        return representation(self)

    def __call__(self, params: Iterable[Parameter]) -> None:
        gradients = {p: p.grad.data for p in with_gradients(params) if p.grad is not None}
        wide = {p: to_single(to_floating(g), backend_of(g)) for p, g in gradients.items()}
        squares: Any = 0.0
        for g in wide.values():
            squares = squares + sum_over(g * g, backend_of(g))
        for param, g in wide.items():
            rate = get_array_module(g).clip(self.max_norm / (squares**0.5 + 1e-6), None, 1.0)
            set_gradient(param, cast(g * cast(rate, g.dtype), param.dtype))


class FreezeParam:
    """Exclude parameters from updates by clearing their gradients.

    Args:
        layers: the Parameters to exclude, or layers whose Parameters are all excluded.
    """

    def __init__(self, *layers: Parameter | Layer) -> None:
        self.layers = layers

    def __call__(self, params: Iterable[Parameter]) -> None:
        for x in self.layers:
            x.cleargrad() if isinstance(x, Parameter) else x.cleargrads()


def set_gradient(param: Parameter, g: Array) -> None:
    """Set a parameter's gradient to an array, without a graph."""
    param.grad = Variable(g, requires_grad=False)
