"""Test L-BFGS: minima, line search, saved states and errors."""

import copy
import math
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable, seed
from dezero_core.errors import ArgumentError, DezeroError, UnsupportedType
from dezero_nn import LBFGS, SGD, ClipGrad, FreezeParam, Linear, StepDecay, mean_squared_error
from dezero_nn.optimizers.line_search import CURVATURE, DECREASE, Point, minimum, strong_wolfe


class Rosenbrock:
    """Minimise (1 - a)**2 + 100 (b - a**2)**2 from (-1.2, 1); count the calls."""

    def __init__(self, **settings: Any) -> None:
        self.a, self.b = Parameter(np.array(-1.2)), Parameter(np.array([1.0]))
        self.optimizer = LBFGS(**settings).setup([self.a, self.b])
        self.calls = 0

    def __call__(self) -> Variable:
        self.calls += 1
        self.a.cleargrad()
        self.b.cleargrad()
        loss = ((1 - self.a) ** 2 + 100 * (self.b - self.a**2) ** 2).sum()
        loss.backward()
        return loss

    def steps(self, count: int) -> list[float]:
        return [self.optimizer.step(self) for _ in range(count)]


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("history", [2, 100])
def test_the_minimum_of_rosenbrocks_function(search: str | None, history: int) -> None:
    run = Rosenbrock(line_search_fn=search, history_size=history)
    losses = run.steps(8)
    assert losses[0] == pytest.approx(24.2) and losses[-1] < 1e-6
    assert abs(run.a.data - 1) < 1e-3 and abs(run.b.data - 1) < 1e-3
    assert run.calls < 170 and run.a.shape == () and run.b.shape == (1,)


def test_a_quadratic_function_needs_few_calls() -> None:
    """Solve linear regression, whose minimum is known."""
    seed(0)
    draw = np.random.default_rng(0)
    x, t = draw.normal(size=(30, 4)), draw.normal(size=(30, 2))
    layer = Linear(2, in_size=4, dtype="float64")
    calls = []

    def closure() -> Variable:
        calls.append(1)
        layer.cleargrads()
        loss = mean_squared_error(layer(x), t)
        loss.backward()
        return loss

    LBFGS(line_search_fn="strong_wolfe").setup(layer).step(closure)
    wanted = np.linalg.lstsq(np.c_[x, np.ones(30)], t, rcond=None)[0]
    np.testing.assert_allclose(layer.W.data, wanted[:4], atol=1e-5)
    np.testing.assert_allclose(layer.b.data, wanted[4], atol=1e-5)
    assert len(calls) < 20


@pytest.mark.parametrize("way", ["state_dict", "deepcopy"])
def test_a_run_continues_from_its_state(way: str) -> None:
    run = Rosenbrock(max_iter=4)
    run.steps(2)
    if way == "deepcopy":
        other = copy.deepcopy(run)
    else:
        other = Rosenbrock(max_iter=4)
        other.a.data, other.b.data = run.a.data.copy(), run.b.data.copy()
        other.optimizer.load_state_dict(run.optimizer.state_dict())
    assert run.steps(3) == other.steps(3)


def test_hooks_and_schedules_apply() -> None:
    run = Rosenbrock(max_iter=1)
    run.optimizer.add_hook(ClipGrad(1.0))
    run.optimizer.add_hook(FreezeParam(run.b))
    schedule = StepDecay(run.optimizer, 1, 0.5)
    run.steps(1)
    first = abs(float(run.a.data) + 1.2)
    assert first == pytest.approx(0.926, abs=1e-3) and run.b.data == 1.0  # the clipped gradient
    schedule.step()
    assert run.optimizer.lr == 0.5


def test_a_loss_of_nan_ends_the_search_at_the_start() -> None:
    p = Parameter(np.ones(2))

    def closure() -> Variable:
        p.cleargrad()
        loss = (p * p).sum() if np.all(p.data == 1) else (p * math.nan).sum()
        loss.backward()
        return loss

    LBFGS(line_search_fn="strong_wolfe").setup([p]).step(closure)
    assert p.data.tolist() == [1.0, 1.0]


def test_parameters_without_gradients_and_half_precision() -> None:
    layer = Linear(1, in_size=2)
    p, idle = Parameter(np.full(2, 3.0, "float16")), layer.W.data.copy()

    def closure() -> Variable:
        p.cleargrad()
        loss = ((p - 1.0) ** 2).sum()
        loss.backward()
        return loss

    optimizer = LBFGS(line_search_fn="strong_wolfe").setup([layer, p])
    assert optimizer.update(closure) == 8.0
    assert p.dtype == "float16" and np.allclose(p.data, 1.0, atol=1e-3)
    assert np.array_equal(layer.W.data, idle)
    assert LBFGS().setup([layer]).step(lambda: 3.0) == 3.0


LINES: dict[str, tuple[Any, Any]] = {
    "a parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "far away": (lambda t: (t / 100 - 3) ** 2, lambda t: (t / 100 - 3) / 50),
    "very near": (lambda t: (t * 100 - 3) ** 2, lambda t: 200 * (t * 100 - 3)),
    "with a wall": (lambda t: t**8 - t, lambda t: 8 * t**7 - 1),
    "not defined everywhere": (
        lambda t: -t - math.log(1 - t) / 3 if t < 1 else math.nan,
        lambda t: -1 + 1 / (1 - t) / 3 if t < 1 else math.nan,
    ),
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("first", [1e-3, 1.0, 50.0])
def test_the_line_search_satisfies_the_conditions(name: str, first: float) -> None:
    f, slope = LINES[name]
    calls = []

    def evaluate(t: float) -> Point:
        calls.append(t)
        return Point(t, f(t), slope(t), None)

    start = Point(0.0, f(0.0), slope(0.0), None)
    found = strong_wolfe(evaluate, start, first, 1e-12)
    assert found.t > 0 and found.loss <= start.loss + DECREASE * found.t * start.derivative
    assert abs(found.derivative) <= -CURVATURE * start.derivative
    assert len(calls) < 15


def test_the_minimum_of_a_cubic() -> None:
    f, slope = (lambda t: t**3 - 3 * t), (lambda t: 3 * t * t - 3)
    for a, b in ((0.0, 3.0), (3.0, 0.0), (0.5, 0.7)):
        points = [Point(t, f(t), slope(t), None) for t in (a, b)]
        assert minimum(*points) == pytest.approx(1.0)
    flat = [Point(t, 1.0, 0.0, None) for t in (1.0, 3.0)]
    assert minimum(*flat) == 2.0


WRONG_CALLS: list[tuple[Any, str]] = [
    (lambda o, p: o.step(), "LBFGS.step: closure is missing; write step"),
    (lambda o, p: o.update(), "closure is missing"),
    (lambda o, p: o.step(3.0), "closure is missing"),
    (lambda o, p: o.step(lambda: None), "closure returned None"),
    (lambda o, p: o.add_group(p, lr=1.0), "all parameters of LBFGS have the same settings"),
    (lambda o, p: LBFGS(lr=-1.0), "lr is -1"),
    (lambda o, p: LBFGS(max_iter=0), "max_iter 0 is below 1"),
    (lambda o, p: LBFGS(history_size=0), "history_size 0 is below 1"),
    (lambda o, p: LBFGS(line_search_fn="wolfe"), "line_search_fn is 'wolfe'; expected 'strong"),
    (lambda o, p: LBFGS().step(lambda: 1.0), "LBFGS: call setup"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_wrong_calls(call: Any, message: str) -> None:
    p = Parameter(np.ones(2))
    with pytest.raises(DezeroError, match=message):
        call(LBFGS().setup([p]), p)


def test_integers_are_refused() -> None:
    p = Parameter(np.ones(2))
    p.data, p._grad = np.ones(2, int), Variable(np.ones(2))
    with pytest.raises(UnsupportedType, match="expected a floating dtype"):
        LBFGS().setup([p]).step(lambda: 1.0)
    with pytest.raises(ArgumentError):
        SGD(-1.0)
