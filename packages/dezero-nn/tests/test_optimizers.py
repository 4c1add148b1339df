"""Optimizers: their formulas, their state, in place only where that is allowed."""

import gc
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable
from dezero_core.errors import ArgumentError, GraphError
from dezero_core.extend import get_backend
from dezero_nn import (
    MLP,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    ClipGrad,
    CosineDecay,
    FreezeParam,
    Layer,
    Linear,
    MomentumSGD,
    Optimizer,
    RMSprop,
    StepDecay,
    WarmUp,
    WeightDecay,
    softmax_cross_entropy,
)

GRADIENTS = np.array([[0.5, -2.0], [0.1, 3.0], [0.0, 1.0]], "float32")


def adam(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """The algorithm of the paper, as it stands there (eps after the bias correction)."""
    m = v = np.zeros_like(p)
    for t, g in enumerate(gradients.astype("float64"), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = p - step * m / (np.sqrt(v) + 1e-8)
    return p


def momentum(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    v = np.zeros_like(p)
    for g in gradients.astype("float64"):
        v = 0.9 * v - 0.1 * g
        p = p + v
    return p


def ada_grad(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    for t, g in enumerate(gradients.astype("float64"), start=1):
        p = p - 0.1 * g / (np.sqrt(np.square(gradients[:t].astype("float64")).sum(0)) + 1e-8)
    return p


def rms_prop(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    gs = gradients.astype("float64")
    for t, g in enumerate(gs):
        ages = np.arange(t, -1, -1.0)[:, np.newaxis]
        p = p - 0.1 * g / (np.sqrt((0.01 * 0.99**ages * gs[: t + 1] ** 2).sum(axis=0)) + 1e-8)
    return p


def ada_delta(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Algorithm 1 of the paper."""
    of_gradients = of_changes = np.zeros_like(p)
    for g in gradients.astype("float64"):
        of_gradients = 0.95 * of_gradients + 0.05 * g**2
        change = -np.sqrt(of_changes + 1e-6) / np.sqrt(of_gradients + 1e-6) * g
        of_changes = 0.95 * of_changes + 0.05 * change**2
        p = p + change
    return p


def adam_w(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Adam's change, found from the gradients alone, and the decay on its own."""
    changes = [adam(np.zeros_like(p), gradients[: t + 1]) for t in range(len(gradients))]
    for before, after in zip([0.0, *changes[:-1]], changes, strict=True):
        p = p - 0.1 * 0.5 * p + (after - before)
    return p


OPTIMIZERS = {
    "sgd": (lambda: SGD(0.1), lambda p, gs: p - 0.1 * gs.sum(axis=0)),
    "momentum": (lambda: MomentumSGD(0.1), momentum),
    "adagrad": (lambda: AdaGrad(0.1), ada_grad),
    "rmsprop": (lambda: RMSprop(0.1), rms_prop),
    "adadelta": (AdaDelta, ada_delta),
    "adam": (lambda: Adam(0.1), adam),
    "adamw": (lambda: AdamW(0.1, weight_decay=0.5), adam_w),
}
MAKE = [pytest.param(make, id=name) for name, (make, _) in OPTIMIZERS.items()]


@pytest.mark.parametrize(
    ("make", "expected"), [pytest.param(*pair, id=name) for name, pair in OPTIMIZERS.items()]
)
def test_three_steps(make: Any, expected: Any, backend: str) -> None:
    optimizer = make()
    library = get_backend(backend)
    layer = Layer()
    start = np.array([1.0, 2.0], "float32")
    layer.p = Parameter(library.from_numpy(start))
    layer.idle = Parameter(library.from_numpy(start))
    optimizer.setup(layer)
    for g in GRADIENTS:
        layer.p.grad = Variable(library.from_numpy(g))
        data = layer.p.data
        optimizer.update()
        assert (layer.p.data is data) == ("in_place" in library.capabilities)
    got = library.to_numpy(layer.p.data)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected(start.astype("float64"), GRADIENTS), rtol=1e-5)
    assert np.array_equal(library.to_numpy(layer.idle.data), start)


def test_setup_comes_first() -> None:
    with pytest.raises(GraphError, match=r"SGD.update\(\): call setup"):
        SGD().update()
    with pytest.raises(NotImplementedError, match="Optimizer must define step"):
        Optimizer().step(np.ones(1), np.ones(1), {})


def test_hooks_see_the_parameters_and_may_freeze_them() -> None:
    layer = Layer()
    layer.a, layer.b = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizer = SGD(1.0).setup(layer)

    def freeze_a(params: list[Parameter]) -> None:
        assert params == [layer.a, layer.b]
        layer.a.cleargrad()

    optimizer.add_hook(freeze_a)
    layer.a.grad = layer.b.grad = Variable(np.ones(1))
    optimizer.update()
    assert (layer.a.data, layer.b.data) == (1.0, 0.0)


def test_state_goes_when_its_parameter_goes() -> None:
    layer = Layer()
    layer.p = Parameter(np.ones(1))
    layer.p.grad = Variable(np.ones(1))
    optimizer = Adam().setup(layer)
    optimizer.update()
    assert len(optimizer._state) == 1
    layer.p = None
    gc.collect()
    assert len(optimizer._state) == 0


@pytest.mark.parametrize("make", MAKE)
def test_the_state_follows_its_parameter(make: Any) -> None:
    def two_steps(between: Any) -> Any:
        layer = Layer()
        layer.p = Parameter(np.array([1.0, 2.0]))
        optimizer = make().setup(layer)
        for g in GRADIENTS[:2].astype("float64"):
            layer.p.grad = Variable(g)
            between(layer)
            optimizer.update()
        return layer.to_cpu().p.data

    halfway = iter([lambda layer: None, lambda layer: layer.to_gpu()])
    np.testing.assert_array_equal(
        two_steps(lambda layer: next(halfway)(layer)), two_steps(lambda layer: None)
    )


@pytest.mark.parametrize("make", [lambda: SGD(0.5), lambda: Adam(0.02)], ids=["sgd", "adam"])
def test_training_is_the_same_on_every_backend(make: Any, backend: str) -> None:
    draw = np.random.default_rng(0)
    x, t = draw.normal(size=(40, 4)).astype("float32"), draw.integers(0, 3, 40)

    def losses(name: str) -> list[float]:
        library = get_backend(name)
        model = MLP((8, 3), in_size=4)
        for key, p in model.named_params().items():
            p.data = np.random.default_rng(len(key)).normal(size=p.shape).astype("float32")
        model.to(name)
        optimizer = make().setup(model)
        found = []
        for _ in range(20):
            loss = softmax_cross_entropy(model(library.from_numpy(x)), library.from_numpy(t))
            model.cleargrads()
            loss.backward()
            optimizer.update()
            found.append(float(loss))
        return found

    reference = losses("numpy")
    assert reference[-1] < 0.8 * reference[0]
    np.testing.assert_allclose(losses(backend), reference, rtol=1e-4)


def test_a_training_step_copies_nothing_to_or_from_the_device() -> None:
    import cupy

    library = get_backend("cuda")
    model = MLP((8, 3), in_size=4).to("cuda")
    optimizer = SGD(0.1).setup(model)
    x = library.from_numpy(np.ones((5, 4), "float32"))
    t = library.from_numpy(np.zeros(5, "int64"))
    for _ in range(2):
        cupy._counts.clear()
        loss = softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    assert cupy._counts["to_host"] == 0
    assert cupy._counts["from_host"] == 0
    assert cupy._counts["launches"] > 0


def two_parameters(library: Any) -> Layer:
    """Parameters (3, 4) and (12,), whose gradients are one and the same array."""
    layer = Layer()
    layer.a = Parameter(library.from_numpy(np.array([3.0, 4.0], "float32")))
    layer.b = Parameter(library.from_numpy(np.array([6.0, 8.0], "float32")))
    shared = Variable(library.from_numpy(np.array([3.0, 4.0], "float32")))
    layer.a.grad = layer.b.grad = shared
    return layer


def test_weight_decay_adds_once_even_to_a_shared_gradient(backend: str) -> None:
    library = get_backend(backend)
    layer = two_parameters(library)
    before = layer.a.grad
    WeightDecay(0.5)(list(layer.params()))
    assert library.to_numpy(layer.a.grad.data).tolist() == [4.5, 6.0]
    assert library.to_numpy(layer.b.grad.data).tolist() == [6.0, 8.0]
    assert library.to_numpy(before.data).tolist() == [3.0, 4.0], "written to"


def test_clip_grad_scales_all_together_and_once(backend: str) -> None:
    library = get_backend(backend)
    layer = two_parameters(library)
    ClipGrad(5.0)(list(layer.params()))
    for param in layer.params():
        got = library.to_numpy(param.grad.data)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, np.array([3.0, 4.0]) / 2**0.5, rtol=1e-6)
    ClipGrad(100.0)(list(layer.params()))
    np.testing.assert_array_equal(library.to_numpy(layer.a.grad.data), got, "nothing to clip")
    ClipGrad(1.0)([])


def test_frozen_parameters_stay_and_the_others_are_updated() -> None:
    model = MLP((3, 2), in_size=2)
    hook = FreezeParam(model.l0, model.l1.b)
    optimizer = SGD(0.1).setup(model)
    optimizer.add_hook(hook)
    optimizer.add_hook(ClipGrad(1.0))
    optimizer.add_hook(WeightDecay(0.1))
    before = {key: p.data.copy() for key, p in model.named_params().items()}
    model(np.ones((1, 2), "float32")).backward()
    optimizer.update()
    moved = [k for k, p in model.named_params().items() if not np.array_equal(p.data, before[k])]
    assert moved == ["l1/W"]


def test_weight_decay_is_the_gradient_of_the_l2_penalty() -> None:
    layer = Layer()
    layer.p = Parameter(np.array([1.0, -2.0]))
    ((layer.p * layer.p).sum() * (0.3 / 2) + layer.p.sum()).backward()
    expected = layer.p.grad.data
    layer.cleargrads()
    layer.p.sum().backward()
    WeightDecay(0.3)([layer.p])
    np.testing.assert_allclose(layer.p.grad.data, expected)


def rates(schedule: Any, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(round(getattr(schedule.optimizer, schedule.optimizer.rate_name), 6))
        schedule.step()
    return found


def test_schedules() -> None:
    assert rates(StepDecay(SGD(1.0), 2), 5) == [1, 1, 0.1, 0.1, 0.01]
    assert rates(CosineDecay(SGD(2.0), 4, lowest=0.5), 6) == [
        2.0, 1.853553, 1.5, 1.146447, 1.0, 1.0,
    ]  # fmt: skip
    assert rates(WarmUp(Adam(0.4), 4), 6) == [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    adam = Adam(0.4)
    chain = WarmUp(adam, 2, then=CosineDecay(adam, 2))
    assert rates(chain, 5) == [0.2, 0.4, 0.4, 0.2, 0.0]
    assert chain.t == 5


def test_schedules_refuse_what_makes_no_sense() -> None:
    with pytest.raises(ArgumentError, match="AdaDelta has no learning rate"):
        StepDecay(AdaDelta(), 2)
    for make in (lambda o: StepDecay(o, 0), lambda o: CosineDecay(o, 0), lambda o: WarmUp(o, 0)):
        with pytest.raises(ArgumentError, match="0 is below 1"):
            make(SGD())


def test_adam_tells_its_rate_also_before_the_first_step() -> None:
    adam = Adam(alpha=0.1)
    first = 0.1 * (1 - 0.999) ** 0.5 / (1 - 0.9)
    assert adam.lr == pytest.approx(first)
    model = Linear(1, in_size=1)
    adam.setup(model)
    for _ in range(2):
        model.cleargrads()
        model(np.ones((1, 1), "float32")).backward()
        adam.update()
    assert adam.lr == pytest.approx(0.1 * (1 - 0.999**2) ** 0.5 / (1 - 0.9**2))
