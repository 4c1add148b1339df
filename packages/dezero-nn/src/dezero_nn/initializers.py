"""Define initialisers, which draw weights from a normal distribution.

The variance depends on the size of the layer. Weights are drawn on the host, so that a seed gives
the same weights on every backend.
"""

from __future__ import annotations

from typing import Any

from dezero_core.state import host_normal

__all__ = ["He", "Initializer", "LeCun", "Xavier"]


class Initializer:
    """Base class of initialisers. Subclasses define ``deviation``.

    Args:
        generator: a ``numpy.random.Generator`` that draws the weights; DeZero's own generator (see
            `dezero_core.seed`) if None.
    """

    def __init__(self, generator: Any = None) -> None:
        self.generator = generator

    def __call__(self, shape: tuple[int, ...], fan_in: float, fan_out: int, dtype: str) -> Any:
        """Return new weights, an array on the host.

        Args:
            shape: shape of the weights.
            fan_in: the number of inputs that one output depends on; for a transposed convolution,
                the average of this number over all outputs.
            fan_out: the number of outputs that one input contributes to.
            dtype: name of the dtype.
        """
        return host_normal(shape, self.deviation(fan_in, fan_out), dtype, self.generator)

    def deviation(self, fan_in: float, fan_out: int) -> float:
        """Return the standard deviation of the weights."""
        raise NotImplementedError(f"{type(self).__name__} must define deviation")


class LeCun(Initializer):
    """Use variance 1 / fan_in, as in the book (LeCun et al., "Efficient BackProp", 1998)."""

    def deviation(self, fan_in: float, fan_out: int) -> float:
        return float((fan_in or 1) ** -0.5)


class He(Initializer):
    """Use variance 2 / fan_in, for relu (He et al., "Delving Deep into Rectifiers", 2015)."""

    def deviation(self, fan_in: float, fan_out: int) -> float:
        return float((2 / (fan_in or 1)) ** 0.5)


class Xavier(Initializer):
    """Use variance 2 / (fan_in + fan_out), for tanh (Glorot and Bengio, 2010)."""

    def deviation(self, fan_in: float, fan_out: int) -> float:
        return float((2 / (fan_in + fan_out or 1)) ** 0.5)
