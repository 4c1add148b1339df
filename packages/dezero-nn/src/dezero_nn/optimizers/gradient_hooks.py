"""Define hooks that change gradients before an update: pass them to `Optimizer.add_hook`.

A hook replaces gradients. A hook never writes to the array of a gradient, because other Variables
may share the array.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from dezero_core import Parameter, Variable, get_array_module
from dezero_core.arguments import as_number
from dezero_core.dtypes import cast, to_floating, to_single
from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_core.extend import Array, backend_of
from dezero_core.hints import hinted
from dezero_core.state import recorder

from ..layers import Layer
from .gradients import with_gradients
from .settings import representation, setting
from .updates import clip_norm_op


class WeightDecay:
    """Add ``rate * p``, the gradient of ``rate / 2 * sum(p**2)``, to each parameter's gradient.

    Args:
        rate: the factor of ``p``; at least 0.
    """

    rate: float = setting()

    @hinted
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
    # in a tuple, where `HookState` looks for no arrays: the first norm is a new array
    _norms: tuple[Any, ...] = (0.0,)

    @hinted
    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __repr__(self) -> str:
        return representation(self)

    def __call__(self, params: Iterable[Parameter]) -> None:
        self._norms = (clip_norm(params, self.max_norm),)

    @property
    def norm(self) -> float:
        """The global norm of the gradients at the last update, before clipping; 0 at first.

        If the gradients are on a GPU, reading the norm waits for its result.
        """
        return float(self._norms[0])


def clip_grad_norm(params: Parameter | Layer | Iterable[Parameter], max_norm: float) -> Any:
    """Scale gradients by one factor as `ClipGrad` does; return the global norm before scaling.

    The norm is a Python float; inside a captured step (docs/gpu.md) it is a Variable without axes,
    whose value can be read after the step.

    Args:
        params: a layer, a Parameter, or an iterable of Parameters, such as ``model.params()``.
            Parameters without a gradient are ignored.
        max_norm: the largest norm of all gradients joined into one vector; above 0.

    Raises:
        ArgumentError: ``max_norm`` is not a finite number above 0.
        ArgumentTypeError: ``params`` is of an unsupported type.
    """
    norm = clip_norm(list_params("clip_grad_norm", params), ClipGrad(max_norm).max_norm)
    if recorder.get() is not None and not isinstance(norm, float):
        return Variable(norm, requires_grad=False)
    return float(norm)


def clip_grad_value(params: Parameter | Layer | Iterable[Parameter], max_value: float) -> None:
    """Limit each element of each gradient to the interval from -max_value to max_value.

    Args:
        params: as for `clip_grad_norm`.
        max_value: the largest absolute value; above 0.

    Raises:
        ArgumentError: ``max_value`` is not a finite number above 0.
        ArgumentTypeError: ``params`` is of an unsupported type.
    """
    value = as_number("clip_grad_value", "max_value", max_value)
    if not 0 < value < math.inf:
        raise ArgumentError(f"clip_grad_value: max_value is {value}; expected a number above 0")
    for param, g in gradients_of(list_params("clip_grad_value", params)):
        set_gradient(param, get_array_module(g).clip(g, -value, value))


def clip_norm(params: Iterable[Parameter], max_norm: float) -> Any:
    """Clip gradients by their global norm; return the norm before, a 0-d array on the device."""
    pairs = gradients_of(params)
    if not pairs:
        return 0.0
    wide = [to_single(to_floating(g), backend_of(g)) for _, g in pairs]
    clipped, norm = clip_norm_op(wide, max_norm)
    for (param, old), g in zip(pairs, clipped, strict=True):
        if g is not old:
            set_gradient(param, g if g.dtype == param.dtype else cast(g, param.dtype))
    return norm


def list_params(op: str, params: Parameter | Layer | Iterable[Parameter]) -> list[Parameter]:
    """Return the Parameters in ``params``: a layer, a Parameter or an iterable of Parameters."""
    found = [params] if isinstance(params, Parameter) else params
    if not isinstance(found, Iterable | Layer) or isinstance(found, Variable):
        what = f"{op}: params is of type {type(found).__name__}"
        raise ArgumentTypeError(f"{what}; pass the model or model.params()")
    found = list(found.params() if isinstance(found, Layer) else found)
    wrong = [x for x in found if not isinstance(x, Parameter)]
    if wrong:
        raise ArgumentTypeError(
            f"{op}: params has an item of type {type(wrong[0]).__name__}; pass the model or "
            "model.params()"
        )
    return found


class FreezeParam:
    """Exclude parameters from updates by clearing their gradients.

    Args:
        layers: the Parameters to exclude, or layers whose Parameters are all excluded.
    """

    @hinted
    def __init__(self, *layers: Parameter | Layer) -> None:
        self.layers = layers

    def __call__(self, params: Iterable[Parameter]) -> None:
        for x in self.layers:
            x.cleargrad() if isinstance(x, Parameter) else x.cleargrads()


def gradients_of(params: Iterable[Parameter]) -> list[tuple[Parameter, Array]]:
    """Return the parameters that have a gradient, each with the array of its gradient."""
    return [(p, p.grad.data) for p in with_gradients(params) if p.grad is not None]


def set_gradient(param: Parameter, g: Array) -> None:
    """Set a parameter's gradient to an array, without a graph."""
    param.grad = Variable(g, requires_grad=False)
