"""Define layers that compute a weight of another layer: weight and spectral normalisation."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from dezero_core import Buffer, Config, Parameter, Variable, get_array_module, no_grad
from dezero_core.arguments import as_integer, normalize_axes
from dezero_core.dtypes import dtype_name
from dezero_core.errors import ArgumentError
from dezero_core.functions import matmul, maximum, moveaxis, reshape, sum, transpose, vector_norm
from dezero_core.state import match_device

from ..initializers import create_once, host_normal
from .layer import Layer
from .weighted import Weighted

FIRST_ITERATIONS = 15
"""Power iterations for the first vectors of `SpectralNorm`, as many as in PyTorch."""


class ComputedWeight(Layer):
    """Base class of layers that contain one layer, and compute a weight of it before each call.

    Args:
        layer: the layer; its attribute ``name`` is then the result of the last computation.
        name: the name of the weight.
        axis: the axis of ``W`` for the outputs of the layer; None for the one that the layer
            declares, or 0.

    Attributes:
        W: the Parameter from which the weight is computed, formerly ``layer.W``.

    Raises:
        ArgumentError: ``layer`` is not a layer, or has no Parameter of this name; or the norm of
            its Parameter is 0.
    """

    op: ClassVar[str]

    def __init__(self, layer: Layer, name: str, axis: int | None) -> None:
        found = vars(layer).get(name) if isinstance(layer, Layer) else None
        if not isinstance(found, Parameter):
            raise ArgumentError(
                f"{self.op}: {type(layer).__name__} has no Parameter {name!r}; expected a layer "
                "and the name of one of its own Parameters"
            )
        default = layer.output_axis if isinstance(layer, Weighted) else 0
        self.W, self.layer, self.name = found, layer, name
        self.axis = default if axis is None else as_integer(self.op, "axis", axis)
        if found.data is not None:
            self.prepare()

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes with the Parameter in the place of the computed weight."""
        layer = copy.copy(self.layer)
        vars(layer)[self.name] = self.W
        return {**super().__getstate__(), "layer": layer}

    def prepare(self) -> None:
        """Create the other arrays once ``W`` exists."""
        raise NotImplementedError(f"{type(self).__name__} must define prepare")

    def weight(self) -> Variable:
        """Return the weight, computed from the arrays of this layer."""
        raise NotImplementedError(f"{type(self).__name__} must define weight")

    def require_nonzero(self, norms: Variable) -> None:
        """Raise `ArgumentError` if a norm of ``W`` is 0, because the weight would be 0 / 0."""
        if not bool(get_array_module(norms.data).all(norms.data != 0)):
            raise ArgumentError(
                f"{self.op}: {self.name} of {type(self.layer).__name__} has a norm of 0, by which "
                "it would be divided; expected a weight that is not initialised to zeros"
            )

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        if self.W.data is None:
            with no_grad():
                self.layer(*inputs, **settings)  # creates W
        self.prepare()
        setattr(self.layer, self.name, self.weight())
        return self.layer(*inputs, **settings)


class WeightNorm(ComputedWeight):
    """Compute the weight of a layer as g W / norm(W); see `weight_norm`.

    Attributes:
        g: the Parameter of the norms, with length 1 along all axes but ``axis``; initially norm(W).
    """

    op = "weight_norm"

    def __init__(self, layer: Layer, name: str = "W", axis: int | None = None) -> None:
        self.g = Parameter(None, name="g")
        super().__init__(layer, name, axis)

    def norm(self) -> Variable:
        """Return the norm of W over all axes but ``axis``."""
        (kept,) = normalize_axes(self.op, self.axis, self.W.ndim)
        axes = tuple(a for a in range(self.W.ndim) if a != kept)
        return vector_norm(self.W, axis=axes, keepdims=True)

    def prepare(self) -> None:
        if self.g.data is None:
            create_once((self.g,), self._create_g)

    def _create_g(self) -> None:
        with no_grad():
            norm = self.norm()
        self.require_nonzero(norm)
        self.g.data = norm.data

    def weight(self) -> Variable:
        return self.W * (self.g / self.norm())


class SpectralNorm(ComputedWeight):
    """Divide the weight of a layer by its largest singular value; see `spectral_norm`.

    Attributes:
        u, v: Buffers, the singular vectors of W as a matrix with a row for each output.
    """

    op = "spectral_norm"

    def __init__(
        self,
        layer: Layer,
        name: str = "W",
        n_power_iterations: int = 1,
        eps: float = 1e-12,
        axis: int | None = None,
    ) -> None:
        self.n_power_iterations = as_integer(self.op, "n_power_iterations", n_power_iterations, 1)
        self.eps = eps
        self.u, self.v = Buffer(None, name="u"), Buffer(None, name="v")
        super().__init__(layer, name, axis)

    def matrix(self) -> Variable:
        """Return W as a matrix with a row for each output."""
        normalize_axes(self.op, self.axis, self.W.ndim)
        rows = moveaxis(self.W, self.axis, 0)
        return reshape(rows, (rows.shape[0], -1))

    def prepare(self) -> None:
        if self.u.data is None or self.v.data is None:
            create_once((self.u, self.v), self._create_vectors)

    def _create_vectors(self) -> None:
        """Draw ``v``, and improve ``u`` and ``v`` by power iterations."""
        with no_grad():
            self.require_nonzero(vector_norm(self.W))
        columns = self.matrix().shape[1]
        drawn = host_normal((columns,), 1.0, dtype_name(self.W.dtype), None)
        self.iterate(Variable(match_device(drawn, self.W.data)), FIRST_ITERATIONS)

    def iterate(self, v: Variable, count: int) -> None:
        """Run power iterations from ``v``, in PyTorch's order; store the new vectors."""
        with no_grad():
            matrix, u = self.matrix(), v
            for _ in range(count):
                u = self.unit(matmul(matrix, v))
                v = self.unit(matmul(transpose(matrix), u))
            self.u.data, self.v.data = u.data, v.data

    def unit(self, x: Variable) -> Variable:
        """Divide a vector by its norm, or by ``eps`` if the norm is smaller."""
        return x / maximum(vector_norm(x), self.eps)

    def weight(self) -> Variable:
        if Config.train and Config.update_buffers:
            self.iterate(self.v, self.n_power_iterations)
        u, v = (Variable(x.data, requires_grad=False) for x in (self.u, self.v))
        return self.W / sum(u * matmul(self.matrix(), v))


def weight_norm(layer: Layer, name: str = "W", axis: int | None = None) -> WeightNorm:
    """Return a layer that calls ``layer`` with the weight g W / norm(W).

    So the length of each output's weight is a parameter of its own. (Salimans and Kingma, "Weight
    Normalization", 2016.) The result of the new layer is initially that of ``layer``.

    Args:
        layer: the layer; it is called by the new layer, and no longer has this Parameter.
        name: the name of the Parameter (default "W").
        axis: the axis of the Parameter that has one length for each index, by default that of the
            outputs: 1 for `Linear` and transposed convolutions, else 0. PyTorch's default for
            transposed convolutions is the axis of the inputs.

    Returns:
        a layer with the parameters ``W``, ``g`` and those of ``layer``.

    Raises:
        ArgumentError: ``layer`` has no Parameter of this name, or a norm is 0. If the Parameter has
            no data yet, the first call raises the error of a norm of 0.
        ShapeError: the Parameter has no axis ``axis``.
    """
    return WeightNorm(layer, name, axis)


def spectral_norm(
    layer: Layer,
    name: str = "W",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    axis: int | None = None,
) -> SpectralNorm:
    """Return a layer that calls ``layer`` with the weight divided by its largest singular value.

    So a linear layer increases no distance. The singular value is estimated from two vectors, which
    each call in training improves by power iterations; the gradient takes the vectors as constants.
    (Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.)

    Args:
        layer: the layer; it is called by the new layer, and no longer has this Parameter.
        name: the name of the Parameter (default "W").
        n_power_iterations: power iterations at each call in training (default 1).
        eps: the smallest norm that vectors are divided by (default 1e-12).
        axis: the axis of the Parameter for the rows of the matrix, by default that of the outputs:
            1 for `Linear` and transposed convolutions, else 0. The other axes are joined.

    Returns:
        a layer with the parameter ``W``, the buffers ``u`` and ``v``, and those of ``layer``.

    Raises:
        ArgumentError: ``layer`` has no Parameter of this name, ``n_power_iterations`` is less than
            1, or all elements of the Parameter are 0; if it has no data yet, the first call raises
            this error.
        ShapeError: the Parameter has no axis ``axis``.
    """
    return SpectralNorm(layer, name, n_power_iterations, eps, axis)
