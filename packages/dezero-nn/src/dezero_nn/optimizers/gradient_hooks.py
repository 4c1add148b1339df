"""What may be done to gradients before an update: `Optimizer.add_hook`.

A hook gives parameters new gradients; it never writes into one, which others may hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dezero_core import Parameter, Variable, get_array_module
from dezero_core.extend import backend_of, cast, in_floating, in_single, sum_over

from ..layers import Layer
from .gradients import with_gradients
from .settings import representation, setting


class WeightDecay:
    """g += rate * p: the gradient of rate / 2 times the sum of squares of the weights.

    Args:
        rate: how strongly weights are pulled to zero.
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
            g, p = in_single(param.grad.data, backend), in_single(param.data, backend)
            set_gradient(param, g + p * self.rate)


class ClipGrad:
    """Scale all gradients down together until their common norm is at most ``max_norm``.

    The norm stays where the gradients are: nobody waits for the device. Pascanu, Mikolov and
    Bengio, "On the difficulty of training recurrent neural networks", 2013.

    Args:
        max_norm: largest norm allowed, over the elements of all gradients.
    """

    max_norm: float = setting(positive=True)

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __repr__(self) -> str:
        return representation(self)

    def __call__(self, params: Iterable[Parameter]) -> None:
        gradients = {p: p.grad.data for p in with_gradients(params) if p.grad is not None}
        wide = {p: in_single(in_floating(g), backend_of(g)) for p, g in gradients.items()}
        squares: Any = 0.0
        for g in wide.values():
            squares = squares + sum_over(g * g, backend_of(g))
        for param, g in wide.items():
            rate = get_array_module(g).clip(self.max_norm / (squares**0.5 + 1e-6), None, 1.0)
            set_gradient(param, cast(g * cast(rate, g.dtype), param.dtype))


class FreezeParam:
    """Leave parameters as they are: take their gradients away.

    Args:
        layers: Parameters, or layers, all of whose Parameters are meant.
    """

    def __init__(self, *layers: Parameter | Layer) -> None:
        self.layers = layers

    def __call__(self, params: Iterable[Parameter]) -> None:
        for x in self.layers:
            x.cleargrad() if isinstance(x, Parameter) else x.cleargrads()


def set_gradient(param: Parameter, g: Any) -> None:
    """Give a parameter a gradient without a graph."""
    param.grad = Variable(g, requires_grad=False)
