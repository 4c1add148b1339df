"""Define samplers, which choose the examples of a loader's passes and their order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from dezero_core.errors import ArgumentError
from dezero_core.extend import generator
from dezero_core.hints import hinted

from .loader_arguments import as_bool, integer


class WeightedRandomSampler:
    """Draw examples with given probabilities, for datasets with rare classes.

    Each pass draws new indices, from the loader's generator.

    Args:
        weights: a nonnegative number for each example, shape (N,); the probability of an example is
            its weight divided by the sum of all weights.
        num_samples: the number of indices in a pass; N if None (default).
        replacement: whether an example may be drawn several times in one pass (default True).

    Raises:
        ArgumentError: a weight is negative or not finite, or all weights are 0; without
            replacement, fewer than ``num_samples`` weights are positive.
    """

    @hinted
    def __init__(
        self, weights: ArrayLike, num_samples: int | None = None, replacement: bool = True
    ) -> None:
        name = type(self).__name__
        w = np.asarray(weights, dtype=np.float64)
        if w.ndim != 1 or not np.all(np.isfinite(w)) or np.any(w < 0) or not np.any(w > 0):
            raise ArgumentError(
                f"{name}: weights of shape {w.shape}; expected one axis of finite numbers of at "
                "least 0, with a positive sum"
            )
        w = w / w.max()  # the sum of very large weights would be infinite
        self.probabilities = w / w.sum()
        self.replacement = as_bool(name, "replacement", replacement)
        size = len(w) if num_samples is None else num_samples
        self.num_samples = integer(name, "num_samples", size, least=1)
        positive = int(np.count_nonzero(w))
        if not self.replacement and self.num_samples > positive:
            raise ArgumentError(
                f"{name}: {self.num_samples} examples without replacement, but only {positive} "
                "weights are positive; give replacement=True or a smaller num_samples"
            )

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        size, p = len(self.probabilities), self.probabilities
        drawn = generator().choice(size, self.num_samples, self.replacement, p)
        return iter(drawn.tolist())
