"""Define `LBFGS`, a quasi-Newton method for functions without noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

from dezero_core import Parameter
from dezero_core.arguments import as_integer
from dezero_core.dtypes import cast, sum_over, to_single
from dezero_core.errors import ArgumentError
from dezero_core.extend import Array, backend_of
from dezero_core.state import updating

from .line_search import Point, strong_wolfe
from .optimizer import Optimizer, require_floating
from .settings import setting

Vector = list[Array]
"""One array for each parameter."""
Pair = tuple[Vector, Vector, float]
"""A step s, the change y of the gradient along it, and their dot product."""
LINE_SEARCHES = (None, "strong_wolfe")


class LBFGS(Optimizer):
    """Minimise a function by the quasi-Newton method L-BFGS, which estimates curvature from steps.

    ``step(closure)`` calls ``closure`` several times. The closure clears the gradients, computes
    the loss, calls ``backward`` and returns the loss::

        def closure():
            model.cleargrads()
            loss = F.mean_squared_error(model(x), t)
            loss.backward()
            return loss

        loss = LBFGS(line_search_fn="strong_wolfe").setup(model).step(closure)

    The loss must be the same function in every call: pass all data at once, and use no dropout.
    Nocedal and Wright, "Numerical Optimization", 2006, Algorithm 7.5. With fixed steps, PyTorch's
    LBFGS computes the same.

    Args:
        lr: the step size, or the first step size that the line search tries; above 0 (default 1).
        max_iter: the largest number of iterations in a call of ``step`` (default 20).
        tolerance_grad: stop if no gradient is larger in absolute value (default 1e-7).
        tolerance_change: stop if the loss or every parameter changes less (default 1e-9).
        history_size: the number of iterations whose changes are stored (default 100).
        line_search_fn: "strong_wolfe", or None for steps of size ``lr`` (default None).

    Raises:
        ArgumentError: a number is out of its range, or ``line_search_fn`` is unknown.
        ArgumentTypeError: an argument is not a number.
    """

    lr: float = setting(positive=True)
    tolerance_grad: float = setting()
    tolerance_change: float = setting()

    def __init__(
        self,
        lr: float = 1.0,
        max_iter: int = 20,
        *,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__()
        self.lr, self.max_iter = lr, as_integer("LBFGS", "max_iter", max_iter, minimum=1)
        self.tolerance_grad, self.tolerance_change = tolerance_grad, tolerance_change
        self.history_size = as_integer("LBFGS", "history_size", history_size, minimum=1)
        if not (line_search_fn is None or isinstance(line_search_fn, str)) or (
            line_search_fn not in LINE_SEARCHES
        ):
            raise ArgumentError(
                f"LBFGS: line_search_fn is {line_search_fn!r}; expected 'strong_wolfe' or None"
            )
        self.line_search_fn = line_search_fn

    def add_group(self, params: object, **settings: float) -> Self:
        """Raise `ArgumentError`, because L-BFGS treats all parameters as one vector."""
        raise ArgumentError("LBFGS.add_group: all parameters of LBFGS have the same settings")

    def step(self, closure: Callable[[], Any] | None = None) -> float:  # type: ignore[override]
        """Run at most ``max_iter`` iterations, and return the loss before the first one.

        Args:
            closure: computes the loss and the gradients, and returns the loss.

        Raises:
            ArgumentError: there is no closure, or it does not return the loss.
        """
        if not callable(closure):
            raise ArgumentError(
                "LBFGS.step: closure is missing; write step(closure) with a function that clears "
                "the gradients, calls loss.backward() and returns the loss"
            )
        return Minimization(self, closure).run()

    def update(self, closure: Callable[[], Any] | None = None) -> float:  # type: ignore[override]
        """Apply one update: this is the book's name for `step`."""
        return self.step(closure)


class Minimization:
    """Hold the parameters, the loss and its gradient during one call of `LBFGS.step`."""

    def __init__(self, optimizer: LBFGS, closure: Callable[[], Any]) -> None:
        self.optimizer, self.closure = optimizer, closure
        self.params: list[Parameter] = []
        self.loss, self.g = self.evaluate()
        for param in self.params:
            require_floating("LBFGS", param)

    def run(self) -> float:
        """Iterate until a limit is reached; return the loss at the start."""
        rule, first = self.optimizer, self.loss
        before, s, pairs = self.stored()
        for i in range(rule.max_iter):
            if largest_magnitude(self.g) <= rule.tolerance_grad:
                break
            if before:
                y = add_scaled(self.g, before, -1.0)
                if dot(s, y) > 1e-10:
                    pairs = [*pairs, (s, y, dot(s, y))][-rule.history_size :]
            d = direction(self.g, pairs)
            if dot(self.g, d) > -rule.tolerance_change:
                break
            t = rule.lr if before else rule.lr * min(1.0, 1.0 / absolute_sum(self.g))
            loss, before = self.loss, self.g
            t = self.search(d, t) if rule.line_search_fn else self.move(d, t, i)
            s = scaled(d, t)
            change = abs(self.loss - loss) if i < rule.max_iter - 1 else math.inf
            if largest_magnitude(s) <= rule.tolerance_change or change < rule.tolerance_change:
                break
        self.store(before, s, pairs)
        return first

    def move(self, d: Vector, t: float, i: int) -> float:
        """Take a step of size ``t`` along ``d``; evaluate unless this is the last iteration."""
        self.place(add_scaled(self.position(), d, t))
        if i < self.optimizer.max_iter - 1:
            self.loss, self.g = self.evaluate()
        return t

    def search(self, d: Vector, t: float) -> float:
        """Take a step along ``d`` by a line search that begins with size ``t``; return the size."""
        x = self.position()

        def evaluate(t: float) -> Point:
            self.place(add_scaled(x, d, t))
            loss, g = self.evaluate()
            return Point(t, loss, dot(g, d), g)

        start = Point(0.0, self.loss, dot(self.g, d), self.g)
        best = strong_wolfe(
            evaluate, start, t, self.optimizer.tolerance_change / largest_magnitude(d)
        )
        self.place(add_scaled(x, d, best.t))
        self.loss, self.g = best.loss, best.g
        return best.t

    def evaluate(self) -> tuple[float, Vector]:
        """Call the closure and the hooks; return the loss and the gradients."""
        loss = self.closure()
        if loss is None:
            raise ArgumentError("LBFGS.step: closure returned None; it returns the loss")
        found = self.optimizer._after_hooks()
        self.params = self.params or found
        ids = {id(param) for param in found}
        g = [
            to_single(param.grad.data, backend_of(param.data)) * 1.0  # a copy
            if id(param) in ids and param.grad is not None
            else backend_of(param.data).zeros(param.shape, param.data)
            for param in self.params
        ]
        return float(loss), g

    def position(self) -> Vector:
        """Return the values of the parameters, half precision in float32."""
        return [to_single(param.data, backend_of(param.data)) for param in self.params]

    def place(self, x: Vector) -> None:
        """Give the parameters new values; their old arrays do not change."""
        with updating():
            for param, value in zip(self.params, x, strict=True):
                param.data = cast(value, param.dtype)

    def stored(self) -> tuple[Vector, Vector, list[Pair]]:
        """Return the last gradient, the last step and the pairs of the call before this one."""
        states = [self.optimizer._state_of(param) for param in self.params]
        if not states or not all("g" in state for state in states):
            return [], [], []

        def column(name: str) -> Vector:
            return [state[name] for state in states]

        count = sum(name.startswith("y") for name in states[0])
        pairs = [(column(f"s{i}"), column(f"y{i}"), states[0][f"r{i}"]) for i in range(count)]
        return column("g"), column("s"), pairs

    def store(self, g: Vector, s: Vector, pairs: list[Pair]) -> None:
        """Store what `stored` returns in the states of the parameters."""
        with updating():
            for k, param in enumerate(self.params if g else ()):
                state = self.optimizer.param_states[param] = {"g": g[k], "s": s[k]}
                for i, (step, y, curvature) in enumerate(pairs):
                    state |= {f"s{i}": step[k], f"y{i}": y[k], f"r{i}": curvature}


def direction(g: Vector, pairs: list[Pair]) -> Vector:
    """Return the estimated inverse Hessian times -g, by the two-loop recursion."""
    q, factors = scaled(g, -1.0), []
    for s, y, curvature in reversed(pairs):
        factors.append(dot(s, q) / curvature)
        q = add_scaled(q, y, -factors[-1])
    if pairs:
        s, y, curvature = pairs[-1]
        q = scaled(q, curvature / dot(y, y))
    for (s, y, curvature), factor in zip(pairs, reversed(factors), strict=True):
        q = add_scaled(q, s, factor - dot(y, q) / curvature)
    return q


def dot(x: Vector, y: Vector) -> float:
    """Return the dot product of two vectors."""
    return sum(float(sum_over(a * b, backend_of(a))) for a, b in zip(x, y, strict=True))


def add_scaled(x: Vector, y: Vector, factor: float) -> Vector:
    """Return x + factor * y."""
    return [a + b * factor for a, b in zip(x, y, strict=True)]


def scaled(x: Vector, factor: float) -> Vector:
    """Return factor * x."""
    return [a * factor for a in x]


def largest_magnitude(x: Vector) -> float:
    """Return the largest absolute value in a vector; 0 if it is empty."""
    return max([float(backend_of(a).xp.max(abs(a))) for a in x if a.size], default=0.0)


def absolute_sum(x: Vector) -> float:
    """Return the sum of the absolute values in a vector."""
    return sum(float(sum_over(abs(a), backend_of(a))) for a in x)
