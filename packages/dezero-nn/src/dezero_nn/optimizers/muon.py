"""Define `Muon`, which orthogonalises the momentum of matrices."""

from __future__ import annotations

from math import prod
from typing import Any

from dezero_core import get_array_module
from dezero_core.dtypes import sum_over
from dezero_core.extend import Array, backend_of
from dezero_core.functions.linalg import matmul_op

from .adam import AdamW
from .settings import setting, switch

COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""The coefficients of X, X X^T X and (X X^T)^2 X in an iteration (Jordan et al., 2024)."""
ITERATIONS = 5


class Muon(AdamW):
    """Update matrices by their orthogonalised momentum, and all other parameters by AdamW.

    m = momentum * m + (1 - momentum) * g is the momentum. With d = g * (1 - momentum) +
    momentum * m (nesterov) or d = m, and U S V^T the singular value decomposition of d:
    p -= lr * (sqrt(max(1, outputs / inputs)) * U V^T + weight_decay * p). Five Newton-Schulz
    iterations compute U V^T approximately; its singular values are between about 0.7 and 1.2.
    Filters of a convolution count as matrices of shape (outputs, all other axes). Jordan et al.,
    "Muon: An optimizer for hidden layers in neural networks", 2024.

    The authors update embeddings and the last layer by AdamW too::

        optimizer = Muon(lr=0.02).setup(model)
        optimizer.add_group([model.embed, model.head], use_adam=True)

    Args:
        lr: learning rate, above 0 (default 0.02).
        momentum: decay of m, in [0, 1) (default 0.95).
        weight_decay: the factor in the formula above, also for AdamW; at least 0 (default 0).
        nesterov: whether to add the gradient to the momentum again (default True).
        adam_ratio: AdamW's learning rate divided by ``lr``; at least 0 (default 0.015, which is
            3e-4 / 0.02).
        use_adam: whether to update matrices by AdamW too (default False).
        beta1, beta2, eps: as for `AdamW`.

    Raises:
        ArgumentError: a number is out of its range.
        ArgumentTypeError: ``nesterov`` or ``use_adam`` is not a bool.
    """

    elementwise = False
    momentum: float = setting(below=1)
    nesterov: bool = switch()
    adam_ratio: float = setting()
    use_adam: bool = switch()

    def __init__(
        self,
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        nesterov: bool = True,
        *,
        adam_ratio: float = 0.015,
        use_adam: bool = False,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(lr, beta1, beta2, eps, weight_decay)
        self.momentum, self.nesterov = momentum, nesterov
        self.adam_ratio, self.use_adam = adam_ratio, use_adam

    def rates(self, t: int) -> tuple[float, ...]:
        """Return eps, learning rate and decay of AdamW, then rate and decay of matrices."""
        eps, rate = super().rates(t)[:2]
        decay = self.alpha * self.weight_decay
        return eps, rate * self.adam_ratio, decay * self.adam_ratio, self.alpha, decay

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        *of_adam, rate, decay = self.step_rates([state], g)
        if p.ndim < 2 or self.use_adam:
            return self._change(p, g, state, *of_adam)
        m = state["m"] = state.get("m", 0.0) * self.momentum + g * (1 - self.momentum)
        d = g * (1 - self.momentum) + m * self.momentum if self.nesterov else m
        rows, columns = p.shape[0], prod(p.shape[1:])
        reshape = get_array_module(g).reshape
        # Flattening copies d to C order. The rounding of matmul depends on the order in memory, and
        # a momentum from a checkpoint may have another order than the momentum that was saved.
        change = reshape(reshape(d, (-1,)), (rows, columns))
        change = reshape(orthogonalized(change), p.shape)
        # W of Linear has shape (inputs, outputs), filters have shape (outputs, inputs, ...)
        ratio = columns / max(rows, 1) if p.ndim == 2 else rows / max(columns, 1)
        return change * max(1, ratio) ** 0.5 * -rate - p * decay


def orthogonalized(x: Array) -> Array:
    """Replace the singular values of a matrix by values near 1, by Newton-Schulz iterations."""
    a, b, c = COEFFICIENTS
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x  # x @ x.T is then the smaller of both products
    x = x / (sum_over(x * x, backend_of(x)) ** 0.5 + 1e-7)
    for _ in range(ITERATIONS):
        square = matmul_op(x, x.T)
        x = x * a + matmul_op(square * b + matmul_op(square, square) * c, x)
    return x.T if is_tall else x
