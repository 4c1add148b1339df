"""Compare 20 steps of optimizers, schedules and gradient clipping with PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as S

from dezero_core import Parameter, Variable
from dezero_nn import optimizers as O

STEPS = 20


def arrays(step: int) -> list[Any]:
    """Return a matrix and a vector that differ from step to step."""
    draw = np.random.default_rng(step)
    return [draw.normal(size=(4, 3)), draw.normal(size=5)]


def ours(optimizer: O.Optimizer, groups: Any = lambda o: None) -> Any:
    """Return the parameters after each step."""
    params = [Parameter(a) for a in arrays(99)]
    groups(optimizer.setup(params))
    found = []
    for step in range(STEPS):
        for p, g in zip(params, arrays(step), strict=True):
            p.grad = Variable(g)
        optimizer.step()
        found.append([p.data.copy() for p in params])
    return found


def theirs(make: Callable[[list[Any]], torch.optim.Optimizer]) -> Any:
    params = [torch.nn.Parameter(torch.tensor(a)) for a in arrays(99)]
    optimizer = make(params)
    found = []
    for step in range(STEPS):
        for p, g in zip(params, arrays(step), strict=True):
            p.grad = torch.tensor(g)
        optimizer.step()
        found.append([p.detach().numpy().copy() for p in params])
    return found


T = torch.optim
OPTIMIZERS: list[tuple[Any, Any]] = [
    (lambda: O.SGD(0.1), lambda ps: T.SGD(ps, 0.1)),
    (lambda: O.SGD(0.1, 0.9), lambda ps: T.SGD(ps, 0.1, 0.9)),
    (lambda: O.SGD(0.1, 0.9, 0.01), lambda ps: T.SGD(ps, 0.1, 0.9, weight_decay=0.01)),
    (lambda: O.SGD(0.1, 0.9, nesterov=True), lambda ps: T.SGD(ps, 0.1, 0.9, nesterov=True)),
    (lambda: O.MomentumSGD(0.1), lambda ps: T.SGD(ps, 0.1, 0.9)),
    (lambda: O.MomentumSGD(0.1, nesterov=True), lambda ps: T.SGD(ps, 0.1, 0.9, nesterov=True)),
    (lambda: O.AdaGrad(0.1), lambda ps: T.Adagrad(ps, 0.1, eps=1e-8)),
    (lambda: O.RMSprop(0.1), lambda ps: T.RMSprop(ps, 0.1)),
    (lambda: O.AdaDelta(), lambda ps: T.Adadelta(ps, 1.0, rho=0.95)),
    (lambda: O.Adam(0.1), lambda ps: T.Adam(ps, 0.1)),
    (lambda: O.AdamW(0.1), lambda ps: T.AdamW(ps, 0.1)),
    (lambda: O.AMSGrad(0.1, beta2=0.5), lambda ps: T.Adam(ps, 0.1, (0.9, 0.5), amsgrad=True)),
    (lambda: O.Adamax(0.1, beta2=0.9), lambda ps: T.Adamax(ps, 0.1, (0.9, 0.9))),
    (lambda: O.NAdam(0.1), lambda ps: T.NAdam(ps, 0.1)),
    (lambda: O.RAdam(0.1, beta2=0.7), lambda ps: T.RAdam(ps, 0.1, betas=(0.9, 0.7))),
    (lambda: O.RAdam(0.1), lambda ps: T.RAdam(ps, 0.1)),
    (lambda: O.Muon(0.1, adam_ratio=0.5, use_adam=True, weight_decay=0.3),
     lambda ps: T.AdamW(ps, 0.05, weight_decay=0.3)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "wanted"), OPTIMIZERS, ids=lambda f: f.__code__.co_names[-1])
def test_optimizers(make: Any, wanted: Any) -> None:
    for got, expected in zip(ours(make()), theirs(wanted), strict=True):
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)  # PyTorch's NAdam has a float32


def minimized(p: Any, optimizer: Any, clear: Callable[[], None]) -> list[float]:
    """Return the losses of Rosenbrock's function, in each of four calls of ``step``."""

    def closure() -> Any:
        clear()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    losses = [optimizer.step(closure) for _ in range(4)]
    return [float(loss.detach() if isinstance(loss, torch.Tensor) else loss) for loss in losses]


@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.01, "max_iter": 50}, {"history_size": 3}, {"max_iter": 4}]
)
def test_lbfgs(settings: dict[str, Any]) -> None:
    p = Parameter(np.array([-1.2, 1.0]))
    t = torch.nn.Parameter(torch.tensor(p.data.copy()))
    got = minimized(p, O.LBFGS(**settings).setup([p]), p.cleargrad)
    other = T.LBFGS([t], **settings)
    assert got == pytest.approx(minimized(t, other, other.zero_grad), rel=1e-4, abs=1e-6)


def test_lbfgs_with_a_line_search_reaches_the_same_loss() -> None:
    p = Parameter(np.array([-1.2, 1.0]))
    t = torch.nn.Parameter(torch.tensor(p.data.copy()))
    settings: Any = {"line_search_fn": "strong_wolfe", "max_iter": 100}
    got = minimized(p, O.LBFGS(**settings).setup([p]), p.cleargrad)
    other = T.LBFGS([t], **settings)
    assert got[-1] < 2 * minimized(t, other, other.zero_grad)[-1] < 1e-8


def test_ema() -> None:
    ours, theirs = Parameter(arrays(0)[0]), torch.nn.Linear(4, 3, dtype=torch.float64)
    average = torch.optim.swa_utils.AveragedModel(
        theirs, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    ema = O.EMA([ours], decay=0.9)
    for step in range(STEPS):
        ours.data = arrays(step)[0]
        theirs.weight.data = torch.tensor(arrays(step)[0].T)
        ema.update()
        average.update_parameters(theirs)
    ema.copy_to([ours])
    wanted = average.module.weight.detach().numpy().T
    np.testing.assert_allclose(ours.data, wanted, rtol=1e-6)


def test_groups() -> None:
    def decay_matrices(optimizer: Any) -> None:
        optimizer.add_group(lambda p: p.ndim < 2, weight_decay=0.0, lr=0.01)

    wanted = theirs(
        lambda ps: T.AdamW(
            [{"params": ps[:1]}, {"params": ps[1:], "weight_decay": 0.0, "lr": 0.01}],
            0.1, weight_decay=0.5,
        )
    )  # fmt: skip
    got = ours(O.AdamW(0.1, weight_decay=0.5), decay_matrices)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-9)
        np.testing.assert_allclose(a[1], b[1], rtol=1e-9)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_muon(nesterov: bool, transposed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare matrices, which PyTorch transposes, without PyTorch's conversion to bfloat16."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())
    start = arrays(99)[0].T if transposed else arrays(99)[0]
    ours, theirs = [Parameter(start)], [torch.nn.Parameter(torch.tensor(start.T))]
    optimizer = O.Muon(0.1, weight_decay=0.1, nesterov=nesterov).setup(ours)
    other = T.Muon(theirs, 0.1, weight_decay=0.1, nesterov=nesterov)
    for step in range(STEPS):
        g = np.random.default_rng(step).normal(size=start.shape)
        ours[0].grad, theirs[0].grad = Variable(g), torch.tensor(g.T)
        optimizer.step()
        other.step()
        wanted = theirs[0].detach().numpy().T
        np.testing.assert_allclose(ours[0].data, wanted, rtol=1e-5, atol=1e-6)


SCHEDULES: list[tuple[Any, Any]] = [
    (lambda o: O.StepDecay(o, 3, 0.5), lambda o: S.StepLR(o, 3, 0.5)),
    (lambda o: O.MultiStepDecay(o, [3, 7], 0.5), lambda o: S.MultiStepLR(o, [3, 7], 0.5)),
    (lambda o: O.ExponentialDecay(o, 0.9), lambda o: S.ExponentialLR(o, 0.9)),
    (lambda o: O.LinearDecay(o, 7, 0.2), lambda o: S.LinearLR(o, 1.0, 0.2, 7)),
    (lambda o: O.LinearDecay(o, 7), lambda o: S.PolynomialLR(o, 7)),
    (lambda o: O.CosineDecay(o, 25, 0.1), lambda o: S.CosineAnnealingLR(o, 25, 0.01)),
    (lambda o: O.CosineRestarts(o, 4), lambda o: S.CosineAnnealingWarmRestarts(o, 4)),
    (lambda o: O.CosineRestarts(o, 3, 2, 0.1),
     lambda o: S.CosineAnnealingWarmRestarts(o, 3, 2, 0.01)),
    (lambda o: O.OneCycle(o, 21), lambda o: S.OneCycleLR(o, 0.1, 21)),
    (lambda o: O.OneCycle(o, 30, 0.5, 0.1, 1e-3),
     lambda o: S.OneCycleLR(o, 0.1, 30, pct_start=0.5, div_factor=10, final_div_factor=100)),
    (lambda o: O.LambdaSchedule(o, lambda t: 0.9**t), lambda o: S.LambdaLR(o, lambda t: 0.9**t)),
    (lambda o: O.ReduceLROnPlateau(o, "min", 0.5, 1, cooldown=1),
     lambda o: S.ReduceLROnPlateau(o, "min", 0.5, 1, cooldown=1)),
    (lambda o: O.ReduceLROnPlateau(o, "max", 0.5, 2, lowest=0.2),
     lambda o: S.ReduceLROnPlateau(o, "max", 0.5, 2, min_lr=0.02)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "wanted"), SCHEDULES, ids=lambda f: f.__code__.co_names[-1])
def test_schedules(make: Any, wanted: Any) -> None:
    optimizer, other = O.SGD(0.1), T.SGD([torch.zeros(1)], 0.1)
    schedule, scheduler = make(optimizer), wanted(other)
    scores = np.random.default_rng(0).uniform(1, 2, STEPS)
    for score in scores:
        assert optimizer.lr == pytest.approx(other.param_groups[0]["lr"], rel=1e-9, abs=1e-15)
        args = (score,) if isinstance(schedule, O.ReduceLROnPlateau) else ()
        schedule.step(*args)
        other.step()
        scheduler.step(*args)


def test_clipping() -> None:
    params = [Parameter(a) for a in arrays(0)]
    tensors = [torch.nn.Parameter(torch.tensor(a)) for a in arrays(0)]
    for p, t, g in zip(params, tensors, arrays(1), strict=True):
        p.grad, t.grad = Variable(g), torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(tensors, 1.5)
    assert O.clip_grad_norm(params, 1.5) == pytest.approx(float(norm))
    for p, t in zip(params, tensors, strict=True):
        np.testing.assert_allclose(p.grad.data, t.grad.numpy(), rtol=1e-9)
    torch.nn.utils.clip_grad_value_(tensors, 0.3)
    O.clip_grad_value(params, 0.3)
    for p, t in zip(params, tensors, strict=True):
        np.testing.assert_allclose(p.grad.data, t.grad.numpy(), rtol=1e-9)
