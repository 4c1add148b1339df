"""Define `Projection`, a `Linear` layer whose sizes depend on the layer that contains it."""

from __future__ import annotations

from functools import partial
from typing import Any

from dezero_core import Parameter, Variable, as_variable
from dezero_core.errors import ShapeError
from dezero_core.extend import ArrayBackend, backend_of
from dezero_core.variable import Operand

from ..initializers import create_once
from .layer import Layer
from .linear import Linear


class Projection(Linear):
    """A `Linear` layer that gets its parameters from the layer that contains it.

    Args:
        bias: whether the layer has a bias ``b``.
    """

    out_size: Any  # an integer, or None before the parameters exist

    def __init__(self, bias: bool) -> None:
        super().__init__(0, nobias=not bias)
        self.out_size = None
        if self.b is not None:
            self.b = Parameter(None, name="b")

    def create(self, in_size: int, out_size: int, backend: ArrayBackend) -> None:
        """Create the parameters that do not exist yet."""
        self.out_size = out_size
        if self.W.data is None:
            self._init_W(in_size, backend)
        if self.b is not None and self.b.data is None:
            self.b.data = backend.zeros((out_size,), self.W.data)


class Projecting(Layer):
    """Base class of layers whose projections get their sizes from the first input."""

    def _init_params(self, size: int, backend: ArrayBackend) -> None:
        """Create the parameters that do not exist yet, for inputs with ``size`` channels."""
        raise NotImplementedError(f"{type(self).__name__} must define _init_params")

    def _ready_for(self, x: Operand, *projections: Projection) -> Variable:
        """Return ``x`` as a Variable; create the parameters if ``x`` is the first input."""
        x = as_variable(x)
        if x.ndim == 0:
            raise ShapeError(f"{type(self).__name__}: x has no axes; expected (..., C)")
        params = [p for layer in projections for p in (layer.W, layer.b) if p is not None]
        if any([p.data is None for p in params]):
            create_once(params, partial(self._init_params, x.shape[-1], backend_of(x.data)))
        return x
