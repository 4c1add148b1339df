"""Test optimizers, hooks and schedules: formulas, states, copies and checkpoints."""

import copy
import math
import pickle
import re
import weakref
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable
from dezero_core.errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    DezeroError,
    GraphError,
    ShapeError,
    UnsupportedType,
)
from dezero_core.extend import get_backend
from dezero_nn import (
    MLP,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    ClipGrad,
    CosineDecay,
    FreezeParam,
    Layer,
    Linear,
    Lion,
    MomentumSGD,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Sequential,
    StepDecay,
    WeightDecay,
    batch_norm,
    clip_grad_norm,
    clip_grad_value,
    relu,
    softmax_cross_entropy,
)
from dezero_nn.kernels import updates
from dezero_nn.optimizers.settings import numbers_of
from dezero_testing.layouts import misaligned, read_only

GRADIENTS = np.array([[0.5, -2.0], [0.1, 3.0], [0.0, 1.0]], "float32")


def adam(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Compute Algorithm 1 of the paper."""
    m = v = np.zeros_like(p)
    for t, g in enumerate(gradients.astype("float64"), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        p = p - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-8)
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
    """Compute Algorithm 1 of the paper."""
    of_gradients = of_changes = np.zeros_like(p)
    for g in gradients.astype("float64"):
        of_gradients = 0.95 * of_gradients + 0.05 * g**2
        change = -np.sqrt(of_changes + 1e-6) / np.sqrt(of_gradients + 1e-6) * g
        of_changes = 0.95 * of_changes + 0.05 * change**2
        p = p + change
    return p


def adam_w(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Return Adam's result for the gradients, plus the decay of the weights."""
    changes = [adam(np.zeros_like(p), gradients[: t + 1]) for t in range(len(gradients))]
    for before, after in zip([0.0, *changes[:-1]], changes, strict=True):
        p = p - 0.1 * 0.5 * p + (after - before)
    return p


def n_adam(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Compute NAdam with the schedule of momentum that PyTorch uses."""
    m = v = np.zeros_like(p)
    u = [0.9 * (1 - 0.5 * 0.96 ** (0.004 * t)) for t in range(1, len(gradients) + 2)]
    for t, g in enumerate(gradients.astype("float64")):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        ahead = u[t + 1] / (1 - np.prod(u[: t + 2])) * m
        mean = (1 - u[t]) / (1 - np.prod(u[: t + 1])) * g + ahead
        p = p - 0.1 * mean / (np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8)
    return p


def r_adam(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Compute Algorithm 2 of the paper; the first five of all steps are not adaptive."""
    m = np.zeros_like(p)
    for t, g in enumerate(gradients.astype("float64"), start=1):
        m = 0.9 * m + 0.1 * g
        p = p - 0.1 * m / (1 - 0.9**t)
    return p


def ams_grad(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    m = v = np.zeros_like(p)
    means = []
    for t, g in enumerate(gradients.astype("float64"), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.5 * v + 0.5 * g * g
        means.append(v)
        root = np.sqrt(np.max(means, axis=0) / (1 - 0.5**t))
        p = p - 0.1 * m / (1 - 0.9**t) / (root + 1e-8)
    return p


def ada_max(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    m = np.zeros_like(p)
    for t, g in enumerate(gradients.astype("float64"), start=1):
        m = 0.9 * m + 0.1 * g
        ages = 0.5 ** np.arange(t - 1, -1, -1.0)[:, np.newaxis]
        u = np.max(ages * (np.abs(gradients[:t].astype("float64")) + 1e-8), axis=0)
        p = p - 0.1 * m / (1 - 0.9**t) / u
    return p


def lion(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    m = np.zeros_like(p)
    for g in gradients.astype("float64"):
        p = p - 0.1 * (np.sign(0.9 * m + 0.1 * g) + 0.5 * p)
        m = 0.99 * m + 0.01 * g
    return p


OPTIMIZERS = {
    "sgd": (lambda: SGD(0.1), lambda p, gs: p - 0.1 * gs.sum(axis=0)),
    "sgd with momentum": (lambda: SGD(0.1, momentum=0.9), momentum),
    "momentum": (lambda: MomentumSGD(0.1), momentum),
    "adagrad": (lambda: AdaGrad(0.1), ada_grad),
    "rmsprop": (lambda: RMSprop(0.1), rms_prop),
    "adadelta": (AdaDelta, ada_delta),
    "adam": (lambda: Adam(0.1), adam),
    "adamw": (lambda: AdamW(0.1, weight_decay=0.5), adam_w),
    "amsgrad": (lambda: AMSGrad(0.1, beta2=0.5), ams_grad),
    "adamax": (lambda: Adamax(0.1, beta2=0.5), ada_max),
    "nadam": (lambda: NAdam(0.1), n_adam),
    "radam": (lambda: RAdam(0.1), r_adam),
    "lion": (lambda: Lion(0.1, weight_decay=0.5), lion),
    "muon of a vector": (lambda: Muon(0.2, weight_decay=0.5, adam_ratio=0.5), adam_w),
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
        array = weakref.ref(layer.p.data)  # an id may be used again
        is_copied = library.is_view(layer.p.data)  # always true if a library cannot tell
        optimizer.update()
        assert (array() is not layer.p.data) == is_copied
    got = library.to_numpy(layer.p.data)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected(start.astype("float64"), GRADIENTS), rtol=1e-5)
    assert np.array_equal(library.to_numpy(layer.idle.data), start)


def test_setup_comes_first() -> None:
    with pytest.raises(GraphError, match=r"SGD: call setup"):
        SGD().update()
    with pytest.raises(NotImplementedError, match="Optimizer must define delta"):
        Optimizer().delta(np.ones(1), np.ones(1), {})


def test_step_applies_one_update_as_in_pytorch() -> None:
    layers = [Linear(2, in_size=3), Linear(2, in_size=3)]
    layers[1].W.data = layers[0].W.data.copy()
    for layer, name in zip(layers, ("update", "step"), strict=True):
        layer(np.ones((4, 3), "float32")).sum().backward()
        getattr(SGD(0.1).setup(layer), name)()
    assert np.array_equal(layers[0].W.data, layers[1].W.data)


@pytest.mark.parametrize("of", [lambda m: m.layers, list, lambda m: {"a": m}, lambda m: (relu, m)])
def test_setup_takes_trees_of_layers(of: Any) -> None:
    model = Sequential(Linear(2, in_size=3), relu)
    before = model.l0.W.data.copy()
    optimizer = SGD(0.1).setup(of(model))
    model.l0(np.ones((4, 3), "float32")).sum().backward()
    optimizer.update()
    np.testing.assert_allclose(model.l0.W.data, before - 0.1 * model.l0.W.grad.data, rtol=1e-6)


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


class Brings:
    """A hook that sets the gradients of parameters, and stores the parameters that it gets."""

    def __init__(self, **gradients: float) -> None:
        self.gradients = gradients

    def __call__(self, params: list[Parameter]) -> None:
        self.got = [param.name for param in params]
        for param in params:
            if param.name in self.gradients:
                param.grad = Variable(np.full(1, self.gradients[param.name]))


def three_parameters() -> Layer:
    """Return a layer with a gradient for ``b`` only, where ``c`` has no data yet."""
    layer = Layer()
    layer.a, layer.b = Parameter(np.ones(1), "a"), Parameter(np.ones(1), "b")
    layer.c = Parameter(None, "c")
    layer.b.grad = Variable(np.ones(1))
    return layer


def test_first_hooks_get_all_parameters_and_run_before_the_others() -> None:
    layer, clip = three_parameters(), ClipGrad(1.0)
    optimizer, first, other = SGD(1.0).setup(layer), Brings(a=3.0, b=4.0), Brings()
    optimizer.add_hook(other)
    optimizer.add_hook(clip)
    optimizer.add_hook(first, first=True)
    optimizer.update()
    assert (first.got, other.got) == (["a", "b", "c"], ["a", "b"])
    assert clip.norm == 5.0, "the norm of the gradients that the first hook set"
    np.testing.assert_allclose([layer.a.data, layer.b.data], [[0.4], [0.2]], rtol=1e-5)


def test_a_gradient_that_a_hook_sets_counts_if_the_parameter_had_none() -> None:
    layer = three_parameters()
    optimizer, last = SGD(1.0).setup(layer), Brings()
    optimizer.add_hook(lambda params: setattr(layer.a, "grad", layer.b.grad))
    optimizer.add_hook(last)
    optimizer.update()
    assert last.got == ["a", "b"] and (layer.a.data, layer.b.data) == (0.0, 0.0)


@pytest.mark.parametrize("first", [False, True])
def test_hooks_are_removed_and_copied(first: bool) -> None:
    optimizer, hook = SGD(1.0).setup(three_parameters()), Brings(a=1.0)
    optimizer.add_hook(hook.__call__, first=first)
    for other in (pickle.loads(pickle.dumps(optimizer)), copy.copy(optimizer)):
        (copied,) = other.first_hooks if first else other.hooks
        other.update()
        assert copied.__self__.got == (["a", "b", "c"] if first else ["b"])
    assert not hasattr(hook, "got"), "hooks of a copy are copies"
    optimizer.remove_hook(hook.__call__)  # another object, equal to the hook
    assert not optimizer.hooks and not optimizer.first_hooks
    with pytest.raises(ArgumentError, match="SGD.remove_hook: .* is not a hook of this optimizer"):
        optimizer.remove_hook(hook)


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
    """Return a layer with parameters (3, 4) and (12,), whose gradients share one array."""
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


WRONG_CALLS: list[tuple[Any, str]] = [
    (lambda o: o.add_hook(None), r"SGD.add_hook: hook is None \(NoneType\); expected a function"),
    (lambda o: o.add_hook(WeightDecay), r"hook is WeightDecay \(type\); .*an object such as"),
    (lambda o: o.add_hook(0.1), r"SGD.add_hook: hook is 0\.1 \(float\)"),
    (lambda o: o.add_hook(print, first=1), r"SGD.add_hook: first 1 .*: expected True or False"),
    (lambda o: SGD(0.1, nesterov=1), r"SGD: nesterov 1 \(int\): expected True or False"),
    (lambda o: RMSprop(momentum=0.9), r"'momentum' \(SGD and MomentumSGD have momentum"),
    (lambda o: Adam([{"params": []}]), r"got list; write Adam\(\.\.\.\).* and add_group\("),
    (lambda o: Adam({"params": []}, lr=0.1), r"Adam: the first argument is a number, got dict"),
    (lambda o: Adam((Parameter(np.ones(1)),)), r"Adam: the first argument is a number, got tuple"),
    (lambda o: setattr(o, "learning_rate", 0.3), "'learning_rate'; in DeZero: optimizer.lr"),
    (lambda o: setattr(Adam(), "base_lr", 0.3), "'base_lr'; in DeZero: optimizer.lr"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_wrong_calls_of_optimizers(call: Any, message: str) -> None:
    optimizer = SGD(0.1)
    with pytest.raises(DezeroError, match=message):
        call(optimizer)
    assert not optimizer.hooks and not optimizer.first_hooks


@pytest.mark.parametrize(
    ("call", "calls"),
    [
        (lambda: Adam(0.001, 0.9, 0.999, 1e-8, 0.01), []),
        (lambda: AdaDelta(1.0), []),
        (lambda: AdaDelta(0.9), ["AdaDelta(rho=0.9)"]),
    ],
)
def test_a_suggested_call_is_one_that_works(call: Any, calls: list[str]) -> None:
    with pytest.raises(CallError) as caught:
        call()
    assert re.findall(r"; write ([^;]*)", str(caught.value)) == calls


class WithItsOwnRate(Optimizer):
    def __init__(self, learning_rate: float = 0.1) -> None:
        super().__init__()
        self.learning_rate = learning_rate


def test_users_may_set_other_attributes() -> None:
    assert WithItsOwnRate(0.2).learning_rate == 0.2
    optimizer = AdaDelta()
    optimizer.learning_rate = optimizer.note = "none"


def trained(make: Any, data: Any, gradient: Any, steps: int = 3) -> Any:
    """Return the data of a parameter after some steps with one gradient."""
    layer = Layer()
    layer.p = Parameter(np.ones(data.shape))
    layer.p.data = data
    optimizer = make().setup(layer)
    for _ in range(steps):
        layer.p.grad = Variable(np.ones(data.shape))
        layer.p.grad.data = gradient
        optimizer.update()
    return layer.p.data


def sharing(x: Any) -> Any:
    """Return an array whose rows share the memory of the first, and are writable."""
    return np.lib.stride_tricks.as_strided(x.copy(), x.shape, (0, *x.strides[1:]))


LAYOUTS = {
    "plain": np.copy,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "misaligned": misaligned,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "Fortran order": lambda x: np.asfortranarray(x),
    "read-only": read_only,
    "from a buffer": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "sharing": sharing,
    "float64": lambda x: x.astype("float64"),
    "float16": lambda x: x.astype("float16"),
    "a column": lambda x: x[:, :1],
    "without axes": lambda x: x[0, 0].reshape(()),
    "empty": lambda x: x[:0],
}


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("piece", [2, 1 << 20])
def test_arrays_in_every_layout_are_updated_alike(
    make: Any, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Update arrays that C cannot take with NumPy, and copies of read-only ones."""
    monkeypatch.setattr(updates, "PIECE", piece)  # larger parameters are updated in pieces
    p = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], "float32")
    g = np.array([[0.5, 1.0, -2.0], [0.25, -1.0, 2.0]], "float32")
    for name, layout in LAYOUTS.items():
        data = layout(p)
        of_shape = LAYOUTS[name] if layout(p).shape != p.shape else np.copy
        pairs = [(data, of_shape(g))]
        if layout(p).shape == p.shape:
            pairs += [(p.copy(), layout(g)), (layout(p), layout(g))]
        for data, gradient in pairs:
            before = data.astype("float64")
            wanted = trained(make, before.copy(), gradient.astype("float64"))
            got = trained(make, data, gradient)
            assert got.dtype == data.dtype and got.shape == data.shape
            tolerance = 5e-3 if "float16" in (data.dtype, gradient.dtype) else 1e-5
            np.testing.assert_allclose(got.astype("float64"), wanted, rtol=tolerance, err_msg=name)


WRONG_SHAPES = [(), (1,), (3,), (3, 2), (1, 3), (2, 1), (2, 3, 1), (6,), (0,)]
HOOKS = {
    "no hook": lambda layer: lambda params: None,
    "WeightDecay": lambda layer: WeightDecay(0.1),
    "ClipGrad": lambda layer: ClipGrad(1.0),
    "FreezeParam": lambda layer: FreezeParam(layer.idle),
    "a user's": lambda layer: (
        lambda params: [
            setattr(p, "grad", Variable(np.zeros(p.shape) + p.grad.data)) for p in params
        ]
    ),
}


def wrong_at_once(layer: Layer, optimizer: Optimizer, gradient: Any) -> None:
    layer.p._grad = Variable(gradient)


def wrong_inside(layer: Layer, optimizer: Optimizer, gradient: Any) -> None:
    layer.p.grad.data = gradient


def wrong_by_a_hook(layer: Layer, optimizer: Optimizer, gradient: Any) -> None:
    optimizer.add_hook(lambda params: setattr(layer.p.grad, "data", gradient))


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
@pytest.mark.parametrize("spoil", [wrong_at_once, wrong_inside, wrong_by_a_hook])
def test_a_gradient_of_another_shape_is_refused(make: Any, hook: Any, spoil: Any) -> None:
    for shape in WRONG_SHAPES:
        model = Layer()
        model.body = layer = Layer()
        layer.p, layer.idle = Parameter(np.ones((2, 3), "f")), Parameter(np.ones(2, "f"))
        optimizer = make().setup(model)
        layer.p.grad = np.ones((2, 3), "f")
        optimizer.add_hook(hook(layer))
        spoil(layer, optimizer, np.ones(shape, "f"))
        with pytest.raises(ShapeError, match=r"data has shape \(2, 3\).*\(in model.body/p\)"):
            optimizer.update()
        assert np.array_equal(layer.p.data, np.ones((2, 3), "f"))


@pytest.mark.parametrize("make", MAKE)
def test_large_gradients_of_another_shape_are_refused(make: Any) -> None:
    layer = Layer()
    layer.W = Parameter(np.zeros((1100, 1000), "f"))
    optimizer = make().setup(layer)
    for shape in ((1000, 1100), (), (1,), (1100 * 1000,)):
        layer.W._grad = Variable(np.ones(shape, "f"))
        with pytest.raises(ShapeError, match=r"data has shape \(1100, 1000\)"):
            optimizer.update()
        with pytest.raises(ShapeError):
            optimizer.update_one(layer.W)
    assert not layer.W.data.any()
    layer = Linear(1100, in_size=1100, nobias=True)
    with pytest.raises(ShapeError, match="grad of 'W'"):
        layer.W.grad = Variable(np.array(1, "f"))


def test_kernels_decline_gradients_of_another_shape() -> None:
    for shape in WRONG_SHAPES:
        ps, gs = [np.ones((2, 3), "f")], [np.ones(shape, "f")]
        assert not updates.supports_update(ps, gs)


def test_a_parameter_whose_shape_changed_needs_a_new_optimizer() -> None:
    layer = Layer()
    layer.p = Parameter(np.ones((1, 3)))
    optimizer = MomentumSGD().setup(layer)
    layer.p.grad = np.ones((1, 3))
    optimizer.update()
    layer.p.cleargrad()
    layer.p.data = np.ones((2, 3))
    layer.p.grad = np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"state 'v' has shape \(1, 3\).*new optimizer"):
        optimizer.update()


def test_gradients_on_another_backend_and_integers_are_refused() -> None:
    layer = Layer()
    layer.p = Parameter(np.ones(2))
    optimizer = SGD().setup(layer)
    layer.p.grad = np.ones(2)
    layer.p.data = get_backend("cuda").from_numpy(np.ones(2))
    with pytest.raises(BackendMismatch, match=r"to\('cuda'\) \(in model.p\)"):
        optimizer.update()
    for make, _ in OPTIMIZERS.values():
        with pytest.raises(UnsupportedType, match="int64.*expected a floating dtype"):
            trained(make, np.ones(2, "int64"), np.ones(2))
    layer.p = Parameter(None)
    layer.p.grad = np.ones(2)
    with pytest.raises(UnsupportedType, match="no data yet"):
        SGD().setup(layer).update()


def test_read_only_running_statistics_are_refused() -> None:
    x, one = np.ones((4, 2), "f"), np.ones(2, "f")
    with pytest.raises(ArgumentError, match="read-only"):
        batch_norm(x, one, one, read_only(one), read_only(one))


RATES = {
    "SGD": (SGD, "lr"),
    "MomentumSGD": (MomentumSGD, "lr"),
    "AdaGrad": (AdaGrad, "lr"),
    "RMSprop": (RMSprop, "lr"),
    "Adam": (Adam, "alpha"),
    "Adam, lr": (Adam, "lr"),
    "AdamW": (AdamW, "alpha"),
    "AdamW, lr": (AdamW, "lr"),
}
NO_RATES = [
    0,
    0.0,
    -0.1,
    float("nan"),
    float("inf"),
    -float("inf"),
    "0.1",
    True,
    [0.1],
    10**400,
    1j,
]
RATE_TYPES = [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5)]


@pytest.mark.parametrize(("make", "name"), RATES.values(), ids=RATES)
def test_rates_are_finite_and_positive(make: Any, name: str) -> None:
    for wrong in NO_RATES:
        with pytest.raises(ArgumentError, match=r"expected a (finite )?number"):
            make(**{name: wrong})
    optimizer = make(**{name: 0.25})
    for wrong in [None, *NO_RATES[2:]]:
        with pytest.raises(ArgumentError, match=r"expected a (finite )?number"):
            setattr(optimizer, name, wrong)
        assert getattr(optimizer, name) == 0.25
    for right in RATE_TYPES:
        setattr(optimizer, name, right)
        assert type(getattr(optimizer, name)) is float
        assert getattr(make(right), name) == 0.5
    with pytest.raises(ArgumentError, match="expected a finite number"):
        StepDecay(optimizer, 1, gamma=float("nan")).step()
    CosineDecay(optimizer, 1).step()
    assert getattr(optimizer, name) == 0.0, "a schedule may end at 0"


def test_other_settings_have_ranges_too() -> None:
    for make in (
        lambda: Adam(beta1=1.0), lambda: Adam(beta2=-0.1), lambda: Adam(eps=-1e-8),
        lambda: AdamW(weight_decay=-0.1), lambda: MomentumSGD(momentum=float("nan")),
        lambda: RMSprop(rho=1.5), lambda: AdaDelta(rho="x"), lambda: AdaGrad(eps=None),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match="expected a (finite )?number"):
            make()
    with pytest.raises(ArgumentError, match="nesterov True with momentum 0; expected a momentum"):
        SGD(nesterov=True)


def test_numpy_numbers_do_not_widen_float32() -> None:
    for make, _ in OPTIMIZERS.values():
        optimizer = make()
        for name in [name for name, x in numbers_of(optimizer).items() if type(x) is not bool]:
            setattr(optimizer, name, np.float64(getattr(optimizer, name)))
        layer = Layer()
        layer.p = Parameter(np.ones(2, "f"))
        layer.p.grad = np.ones(2, "f")
        optimizer.setup(layer).update()
        states = (
            optimizer.param_states[layer.p].values() if layer.p in optimizer.param_states else []
        )
        assert {x.dtype for x in states if isinstance(x, np.ndarray)} <= {np.dtype("f")}


def test_lr_is_another_name_for_alpha() -> None:
    for make in (Adam, AdamW):
        optimizer = make(lr=0.02)
        assert optimizer.alpha == optimizer.lr == 0.02
        optimizer.lr = 0.01
        assert optimizer.alpha == optimizer.lr == 0.01
        optimizer.alpha = 0.03
        assert optimizer.lr == 0.03
        for alpha in (0.1, 0.001):  # an explicit default is refused too
            with pytest.raises(ArgumentError, match=f"alpha {alpha} and lr 0.2; pass only one"):
                make(alpha, lr=0.2)
            with pytest.raises(ArgumentError, match=f"alpha {alpha} and lr 0.2; pass only one"):
                make(lr=0.2, alpha=alpha)


TINY = [
    (lambda: Adam(), 1e-8, 10, 5.0e-3),  # g / (g + eps) = 1/2, ten times 0.001
    (lambda: AdamW(weight_decay=0), 1e-8, 10, 5.0e-3),
    (lambda: Adam(0.1, eps=1e-6), 1e-6, 3, 0.15),
    (lambda: Adam(), 1e-3, 10, 1.0e-2),
    (lambda: Adam(eps=0), 1e-12, 10, 1.0e-2),
    (lambda: AdaGrad(), 1e-8, 1, 5.0e-4),
    (lambda: RMSprop(0.001, rho=0.0), 1e-8, 10, 5.0e-3),
]


@pytest.mark.parametrize(("make", "gradient", "steps", "distance"), TINY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("piece", [2, 1 << 20])
def test_eps_is_added_to_the_root_of_the_mean(
    make: Any, gradient: float, steps: int, distance: float, dtype: str, piece: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Compare with distances that PyTorch 2.13 gives too."""
    monkeypatch.setattr(updates, "PIECE", piece)
    moved = trained(make, np.zeros(3, dtype), np.full(3, gradient, dtype), steps)
    np.testing.assert_allclose(moved, np.full(3, -distance), rtol=1e-4)


def test_repr_of_optimizers_and_hooks() -> None:
    assert repr(AdaGrad(0.1)) == "AdaGrad(lr=0.1, eps=1e-08)"
    assert repr(Adam(lr=0.01)) == "Adam(alpha=0.01, beta1=0.9, beta2=0.999, eps=1e-08)"
    assert repr(MomentumSGD()) == "MomentumSGD(lr=0.01, momentum=0.9, nesterov=False)"
    schedule = StepDecay(AdaGrad(0.1), 5)
    assert repr(schedule) == "StepDecay(AdaGrad(lr=0.1, eps=1e-08), step_size=5, gamma=0.1, t=0)"
    assert repr(ClipGrad(1.0)) == "ClipGrad(max_norm=1.0)"


@pytest.mark.parametrize("number", [float("nan"), -1, float("inf"), "fast"])
@pytest.mark.parametrize("hook", [WeightDecay, ClipGrad])
def test_numbers_of_hooks_are_finite_and_positive(hook: Any, number: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="expected a"):
        hook(number)


def test_keywords_of_other_optimizers_have_hints() -> None:
    for make, message in (
        (lambda: Adam(learning_rate=0.1), "write lr"),
        (lambda: Adam(weight_decay=0.1), "WeightDecay"),
        (lambda: SGD(Linear(2).params(), lr=0.1), r"SGD\(...\).setup\(model\)"),
    ):
        with pytest.raises(TypeError, match=message):
            make()


def test_the_clip_hook_stores_the_norm_before_clipping(backend: str) -> None:
    layer = two_parameters(get_backend(backend))
    hook = ClipGrad(5.0)
    assert hook.norm == 0.0
    hook(list(layer.params()))
    assert hook.norm == pytest.approx(50**0.5) and type(hook.norm) is float
    assert repr(hook) == "ClipGrad(max_norm=5.0)"


def test_clip_functions(backend: str) -> None:
    library = get_backend(backend)
    layer = two_parameters(library)
    assert clip_grad_norm(layer.params(), 5.0) == pytest.approx(50**0.5)
    got = library.to_numpy(layer.b.grad.data)
    np.testing.assert_allclose(got, np.array([3.0, 4.0]) / 2**0.5, rtol=1e-6)
    clip_grad_value(layer, 2.5)
    got = library.to_numpy(layer.a.grad.data)
    np.testing.assert_allclose(got, [3 / 2**0.5, 2.5], rtol=1e-6)
    clip_grad_value(layer.a, 1.0)
    assert library.to_numpy(layer.a.grad.data).tolist() == [1.0, 1.0]
    layer.cleargrads()
    assert clip_grad_norm(layer, 5.0) == 0.0
    for call, message in (
        (lambda: clip_grad_norm(layer, 0.0), "max_norm is 0.0; expected a finite number above"),
        (lambda: clip_grad_norm(layer, math.nan), "max_norm is nan"),
        (lambda: clip_grad_value(layer, -1.0), "max_value is -1.0; expected a number above 0"),
        (lambda: clip_grad_norm([layer.a.data], 1.0), r"params has an item of type .*; pass"),
        (lambda: clip_grad_value([layer], 1.0), "params has an item of type Layer; pass the model"),
    ):
        with pytest.raises(DezeroError, match=message):
            call()


def test_gradients_of_small_batches_add_up_to_that_of_a_large_batch() -> None:
    draw = np.random.default_rng(0)
    x, t = draw.normal(size=(12, 5)).astype("float32"), draw.integers(0, 3, 12)
    models = [MLP((4, 3), in_size=5) for _ in range(2)]
    for p, q in zip(models[0].params(), models[1].params(), strict=True):
        q.data = p.data.copy()
    large, small = (Adam(0.1).setup(model) for model in models)
    for _ in range(2):
        models[0].cleargrads()
        softmax_cross_entropy(models[0](x), t).backward()
        large.update()
        models[1].cleargrads()
        for i in range(0, 12, 4):
            (softmax_cross_entropy(models[1](x[i : i + 4]), t[i : i + 4]) / 3).backward()
        small.update()
    for p, q in zip(models[0].params(), models[1].params(), strict=True):
        np.testing.assert_allclose(q.data, p.data, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "ratio"),
    [((5, 5), 1.0), ((3, 6), 2.0), ((6, 3), 1.0), ((12, 3, 1, 2), 2.0), ((0, 3), 3.0), ((3, 0), 1)],
)
def test_muon_sets_the_singular_values_near_1(shape: tuple[int, ...], ratio: float) -> None:
    """Check the change of a parameter: W of Linear (inputs, outputs), or filters."""
    layer = Layer()
    layer.p = Parameter(np.zeros(shape, "f"))
    layer.p.grad = Variable(np.random.default_rng(0).normal(size=shape).astype("f"))
    Muon(1.0, nesterov=False).setup(layer).step()
    assert layer.p.shape == shape and layer.p.dtype == np.float32
    values = np.linalg.svd(layer.p.data.reshape(shape[0], int(np.prod(shape[1:]))))[1]
    assert np.all(0.6 < values / ratio**0.5) and np.all(values / ratio**0.5 < 1.3)


def test_muon_rounds_alike_for_every_order_in_memory() -> None:
    """A momentum that was saved may have the order of the gradient; a loaded one has C order."""
    draw = np.random.default_rng(0)
    for _ in range(20):  # matrices of which about half show the difference
        layers, g = [Layer(), Layer()], draw.normal(size=(9, 7)).astype("f")
        for layer, order in zip(layers, "CF", strict=True):
            layer.p = Parameter(np.zeros(g.shape, "f"))
            layer.p.grad = Variable(np.array(g, order=order))
            Muon(1.0).setup(layer).step()
        assert layers[0].p.data.tobytes() == layers[1].p.data.tobytes()


def test_muon_updates_a_group_by_adam() -> None:
    layer = MLP((3, 2), in_size=4)
    for p in layer.params():
        p.data, p.grad = np.zeros(p.shape, "f"), Variable(np.ones(p.shape, "f"))
    Muon(0.1, adam_ratio=0.5).setup(layer).add_group(layer.l1, use_adam=True).step()
    for p in (layer.l0.b, layer.l1.W, layer.l1.b):
        np.testing.assert_allclose(p.data, -0.05, rtol=1e-5)
    assert not np.allclose(layer.l0.W.data, -0.05)
