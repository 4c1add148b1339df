"""Test captured steps on the stand-in for CuPy, which records launches and replays them."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any

import cupy
import numpy as np
import pytest

import dezero_core
from dezero_core import Config, Parameter, Variable, functions
from dezero_core.errors import BackendMismatch, CallError, CaptureError, OutOfMemory
from dezero_core.extend import get_backend
from dezero_core.state import own_streams, streams, use_rank
from dezero_cuda.capture import WARM_UPS, CapturedStep, capture

slow = pytest.mark.slow
nn = pytest.importorskip("dezero_nn", reason="models and optimizers are dezero-nn's")
L, rules = nn.layers, nn.optimizers

SIZES = (6, 4)
"""The sizes of the batches of an epoch, of which the last is short."""


class Program:
    """Create a model with data and a training step; each instance starts from equal values."""

    def __init__(
        self,
        rule: Callable[[], Any] = lambda: rules.SGD(0.1),
        layers: Callable[[], list[Any]] = lambda: [L.Linear(5), nn.relu, L.Linear(3)],
        schedule: Callable[[Any], Any] | None = None,
    ) -> None:
        dezero_core.seed(0)
        self.model = nn.Sequential(*layers()).to("cuda")
        self.optimizer = rule().setup(self.model)
        self.schedule = schedule(self.optimizer) if schedule else None
        random = np.random.default_rng(1)
        self.batches = [
            (on_device(random.random((n, 4), "f")), on_device(np.arange(n) % 3)) for n in SIZES
        ]

    def step(self, x: Any, t: Any) -> Any:
        loss = nn.softmax_cross_entropy(self.model(x), t)
        self.model.cleargrads()
        loss.backward()
        self.optimizer.update()
        return loss

    def run(self, step: Any, steps: int = 10) -> list[float]:
        losses = []
        for k in range(steps):
            losses.append(float(step(*self.batches[k % len(SIZES)])))
            if self.schedule is not None:
                self.schedule.step()
        return losses

    def state(self) -> list[Any]:
        """Return the parameters, gradients and states of optimizer and generator, on the host."""
        params = list(self.model.named_params().values())
        arrays = [p.data for p in params] + [p.grad.data for p in params if p.grad is not None]
        values = self.optimizer.state_dict()["parameters"]
        numbers = [(k, n, x) for k, s in values.items() for n, x in s.items() if not is_array(x)]
        arrays += [x for s in values.values() for x in s.values() if is_array(x)]
        generator = streams().seeded
        assert generator is not None
        return [[x.get().tolist() for x in arrays], numbers, str(generator.bit_generator.state)]


def is_array(x: Any) -> bool:
    return isinstance(x, cupy.ndarray)


def on_device(x: Any) -> Any:
    return get_backend("cuda").from_numpy(x)


def clipped(rule: Any) -> Any:
    rule.add_hook(rules.ClipGrad(0.1))
    return rule


def adamw() -> Any:
    return rules.AdamW(0.01, weight_decay=0.1)


DROPOUT = lambda: [L.Linear(5), nn.relu, lambda x: nn.dropout(x, 0.4), L.Linear(3)]  # noqa: E731
NORM = lambda: [L.Linear(5), L.BatchNorm(), nn.relu, L.Linear(3)]  # noqa: E731

PROGRAMS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SGD with momentum and weight decay": {
        "rule": lambda: rules.SGD(0.1, momentum=0.9, weight_decay=0.01)
    },
    "momentum": {"rule": lambda: rules.MomentumSGD(0.05)},
    "Adam": {"rule": lambda: rules.Adam(0.01)},
    "AdamW": {"rule": adamw},
    "AMSGrad": {"rule": lambda: rules.AMSGrad(0.01)},
    "Adamax": {"rule": lambda: rules.Adamax(0.01)},
    "NAdam": {"rule": lambda: rules.NAdam(0.01)},
    "RAdam": {"rule": lambda: rules.RAdam(0.01)},
    "RAdam, schedule": {
        "rule": lambda: rules.RAdam(0.01, beta2=0.5),
        "schedule": lambda rule: rules.StepDecay(rule, 3),
    },
    "Muon, schedule": {
        "rule": lambda: rules.Muon(0.01, weight_decay=0.1),
        "schedule": lambda rule: rules.StepDecay(rule, 7),
    },
    "RMSprop": {"rule": lambda: rules.RMSprop(0.01)},
    "dropout": {"layers": DROPOUT},
    "batch norm": {"layers": NORM},
    "clipping": {"rule": lambda: clipped(rules.SGD(0.1))},
    "Adam, schedule, batch norm, dropout, clipping": {
        "rule": lambda: clipped(rules.Adam(0.01)),
        "layers": lambda: [*NORM(), *DROPOUT()],
        "schedule": lambda rule: rules.WarmUp(rule, 5, then=rules.CosineDecay(rule, 40)),
    },
    "Adam, schedule": {
        "rule": lambda: rules.Adam(0.01),
        "schedule": lambda rule: rules.WarmUp(rule, 5, then=rules.CosineDecay(rule, 40)),
    },
    "SGD, schedule, dropout": {
        "layers": DROPOUT,
        "schedule": lambda rule: rules.StepDecay(rule, 7),
    },
}


def require_equal_runs(settings: dict[str, Any], steps: int) -> None:
    """Check that the losses and the state of captured and eager steps have the same bits."""
    eager, program = Program(**settings), None
    losses, state = eager.run(eager.step, steps), eager.state()
    program = Program(**settings)
    step = capture(program.step)
    assert program.run(step, steps) == losses
    assert program.state() == state
    assert len(step._graphs) == 2  # one graph for the short batches


QUICK = ("Adam, schedule, batch norm, dropout, clipping", "NAdam", "RAdam")


@pytest.mark.parametrize("name", QUICK)
def test_a_captured_step_equals_the_eager_step_bit_for_bit(name: str) -> None:
    require_equal_runs(PROGRAMS[name], 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_fifty_captured_steps_equal_eager_steps_bit_for_bit(name: str) -> None:
    require_equal_runs(PROGRAMS[name], 50)


class Averaging:
    """Replace each gradient by a running mean, which the hook stores."""

    def __init__(self, stored: Any) -> None:
        self.stored, self.number = stored, 0

    def __call__(self, params: list[Parameter]) -> None:
        for k, param in enumerate(params):
            assert param.grad is not None
            self.set_mean(k, self.mean(k) * 0.9 + param.grad.data)
            param.grad = Variable(self.mean(k) * 1.0)

    def mean(self, k: int) -> Any:
        return self.stored.get(k, 0.0)

    def set_mean(self, k: int, mean: Any) -> None:
        self.stored[k] = mean


class AveragingInLists(Averaging):
    """Store the means of `Averaging` in lists, which each call creates."""

    def __call__(self, params: list[Parameter]) -> None:
        self.stored = list(self.stored or [0.0 * p.data for p in params])
        super().__call__(params)

    def mean(self, k: int) -> Any:
        return self.stored[k]


class AveragingInAttributes(Averaging):
    """Store the mean of each parameter as a Variable in an attribute."""

    def mean(self, k: int) -> Any:
        return getattr(self, f"mean{k}").data if hasattr(self, f"mean{k}") else 0.0

    def set_mean(self, k: int, mean: Any) -> None:
        setattr(self, f"mean{k}", Variable(mean))


@pytest.mark.parametrize("hook", [Averaging, AveragingInLists, AveragingInAttributes])
def test_a_hook_keeps_its_arrays_in_a_captured_step(hook: Any) -> None:
    def rule() -> Any:
        rule = rules.SGD(0.1)
        rule.add_hook(hook({}).__call__)  # a method, whose object has the arrays
        return rule

    require_equal_runs({"rule": rule}, 8)


class Counting:
    """Count the calls of a hook in an attribute."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, params: list[Parameter]) -> None:
        self.calls += 1


class Growing:
    """Append an array to a list in each call of a hook."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []

    def __call__(self, params: list[Parameter]) -> None:
        self.arrays.append(params[0].data * 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Counting, "Counting, which changes its number 'calls'"),
        (Growing, "Growing, which stores a new array as 'arrays/2'"),
    ],
)
def test_a_hook_that_changes_otherwise_is_refused(make: Any, message: str) -> None:
    program, hook = Program(), make()
    program.optimizer.add_hook(hook)
    step = capture(program.step)
    for _ in range(WARM_UPS):
        step(*program.batches[0])
    before = str(vars(hook))
    with pytest.raises(CaptureError, match=f"the hook {message}"):
        step(*program.batches[0])
    assert str(vars(hook)) == before


def test_groups_keep_their_own_rates_in_a_captured_step() -> None:
    found = []
    for make in (lambda f: f, capture):
        program = Program(adamw, schedule=lambda rule: rules.StepDecay(rule, 3))
        program.model(program.batches[0][0])
        group = program.optimizer.add_group
        group(lambda p: p.ndim < 2, weight_decay=0.0, lr=0.02)
        found.append((program.run(make(program.step), 8), program.state()))
    assert found[0] == found[1]


def test_a_replay_launches_one_graph_and_nothing_from_python() -> None:
    program = Program(lambda: rules.Adam(0.01))
    step, batch = capture(program.step), program.batches[0]
    for _ in range(WARM_UPS + 1):
        step(*batch)
    cupy._counts.clear()
    step(*batch)
    assert cupy._counts["graphs"] == 1
    assert cupy._counts["to_host"] == 0
    assert cupy._counts["from_host"] == 1  # the numbers of the step
    assert cupy._counts["launches"] == 2  # copies of the two arguments


@pytest.mark.slow
def test_memory_does_not_grow_over_a_thousand_replays() -> None:
    program = Program(lambda: rules.Adam(0.01), DROPOUT)
    step, batch = capture(program.step), program.batches[0]
    for _ in range(20):
        step(*batch)
    (graph,) = step._graphs.values()
    gc.collect()
    memory, objects = graph._pool.total_bytes(), len(gc.get_objects())
    for _ in range(1000):
        step(*batch)
    gc.collect()
    assert graph._pool.total_bytes() == memory
    assert len(gc.get_objects()) < objects + 100  # one object per replay would add 1000


def graph_memory() -> int:
    """Return the memory of the device that pools of graphs own, in bytes."""
    default = cupy.get_default_memory_pool()
    return int(cupy.graphs.memory.used() - default.total_bytes())


def test_the_memory_of_deleted_graphs_returns_to_the_device() -> None:
    gc.collect()
    backend, program, used = get_backend("cuda"), Program(lambda: rules.Adam(0.01)), []
    backend.empty_cache()
    before = graph_memory()
    step, batch = capture(program.step), program.batches[0]
    for _ in range(2):
        for _ in range(WARM_UPS):
            step(*batch)
        emptied = cupy._counts["pools emptied"]
        step(*batch)
        assert cupy._counts["pools emptied"] == emptied + 1  # the graph gets this memory
        used.append(graph_memory())
        weights = next(iter(program.model.params()))
        weights.data = weights.data.copy()  # invalidates the graph
    assert used[0] == used[1] > before
    step(*batch)  # deletes the graph, but the model still has its gradients
    assert 0 < graph_memory() - before < used[0]
    program.model.cleargrads()
    backend.empty_cache()
    assert graph_memory() == before


def test_a_graph_never_uses_memory_that_its_pool_has_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def step(x: Any) -> Any:
        y = functions.sum(x * 2.0)  # the product is freed before the next line
        return y + functions.sum(x * 3.0 - x)

    x = Variable(on_device(np.ones(1000, "f")), requires_grad=False)
    step, expected = capture(step), float(step(x))
    for _ in range(WARM_UPS):
        step(x)
    memory = cupy.graphs.memory
    monkeypatch.setattr(memory, "limit", memory.used() + 10_000)
    with pytest.raises(OutOfMemory, match="MiB free"):
        step(x)
    monkeypatch.undo()
    assert [float(step(x)) for _ in range(3)] == [expected] * 3


def test_results_are_valid_until_the_next_call_unless_they_are_copied() -> None:
    for copy in (False, True):
        program = Program()
        step = capture(program.step, copy=copy)
        for _ in range(WARM_UPS):
            step(*program.batches[0])
        first = step(*program.batches[0])
        value = float(first)
        second = step(*program.batches[0])
        assert float(second) < value
        assert (float(first) == value) is copy
        assert isinstance(first, Variable) and not first.requires_grad


def test_arguments_may_be_nested_and_select_the_graph() -> None:
    calls = []

    @capture(limit=3)
    def scaled(batch: dict[str, Any], factor: float = 1.0) -> dict[str, Any]:
        calls.append(factor)
        return {"y": [batch["x"] * factor, 7, None]}

    for n, factor in ((2, 1.0), (3, 1.0), (3, 2.0), (3, 2)) * 4:
        x = on_device(np.full(n, 5.0, "f"))
        y, seven, nothing = scaled({"x": x}, factor=factor)["y"]
        assert y.get().tolist() == [5 * factor] * n and (seven, nothing) == (7, None)
    assert len(calls) == 4 * 4 and len(scaled._graphs) <= 3  # the fourth key deletes the first


@pytest.mark.parametrize("join", ["concat", "stack"])
def test_many_small_arrays_are_joined_in_a_captured_step(join: str) -> None:
    """CuPy copies the addresses of more than 8 small arrays from the host."""
    step = capture(lambda x: getattr(functions, join)([x * float(k) for k in range(70)], 1))
    x = on_device(np.ones((2, 3), "f"))
    eager, _, captured, replayed = [step(x).data.get().tolist() for _ in range(4)]
    assert eager == captured == replayed
    expected = getattr(np, join)([np.full((2, 3), k, "f") for k in range(70)], 1)
    assert eager == expected.tolist()
    with pytest.raises(CaptureError, match="copies from the host"):
        raw = capture(lambda x: cupy.concatenate([x] * 9))
        for _ in range(3):
            raw(x)


def test_gradients_reach_a_variable_that_is_an_argument() -> None:
    @capture
    def step(x: Any) -> Any:
        y = (x * x).sum()
        y.backward()
        return y

    for k in range(5):
        x = Variable(on_device(np.array([1.0 + k, 2.0], "f")))
        step(x)
        assert x.grad is not None and x.grad.data.get().tolist() == [2.0 + 2 * k, 4.0]


def test_a_parameter_may_be_an_argument() -> None:
    w = Parameter(on_device(np.ones(2, "f")))
    rule = rules.SGD(0.5).setup([w])

    @capture
    def step(w: Any) -> Any:
        loss = (w * w).sum()
        w.cleargrad()
        loss.backward()
        rule.update()
        return loss

    w.data *= 16
    losses = [float(step(w)) for _ in range(5)]
    assert losses == [512.0, 0.0, 0.0, 0.0, 0.0]
    w.data += 1
    assert float(step(w)) == 2.0


def test_the_training_mode_and_the_precision_select_the_graph() -> None:
    program = Program(layers=DROPOUT)
    x = program.batches[0][0]
    step = capture(lambda x: program.model(x))
    for _ in range(5):
        step(x)
    with dezero_core.test_mode():
        y = [step(x).data.get() for _ in range(5)]
    with dezero_core.test_mode():
        assert all(np.array_equal(program.model(x).data.get(), each) for each in y)
    program.model.eval()  # the flag of a layer
    assert np.array_equal(step(x).data.get(), y[0])
    assert Config.train


def test_a_captured_step_draws_the_numbers_of_its_rank() -> None:
    def masks(make: Any, rank: int) -> list[Any]:
        own_streams(np.random.default_rng(0))
        use_rank(rank)
        x = on_device(np.ones((4, 8), "f"))
        step = make(lambda x: nn.dropout(x, 0.5))
        return [step(x).data.get().tolist() for _ in range(8)]

    found = [copy_context().run(masks, make, k) for k in (0, 1) for make in (lambda f: f, capture)]
    assert found[0] == found[1] != found[2] == found[3]


def test_a_captured_step_updates_the_state_of_a_recurrent_layer() -> None:
    found = []
    for make in (lambda f: f, capture):
        dezero_core.seed(0)
        layer = L.RNN(3, in_size=2).to("cuda")
        x = on_device(np.ones((1, 2), "f"))
        step = make(lambda x, layer=layer: layer(x))
        with dezero_core.no_grad():
            found.append([step(x).data.get().tolist() for _ in range(8)])
    assert found[0] == found[1] and found[0][-1] != found[0][-2]


def test_a_recurrent_layer_that_the_step_resets_keeps_its_graphs() -> None:
    found = []
    for make in (lambda f: f, capture):
        dezero_core.seed(0)
        layer, random = L.LSTM(3, in_size=2).to("cuda"), np.random.default_rng(0)
        rule = rules.SGD(0.1).setup(layer)
        batches = [on_device(random.random((4, n, 2), "f")) for n in (3, 2)]

        def run(x: Any, layer=layer, rule=rule) -> Any:
            layer.reset_state()
            for k in range(4):
                y = layer(x[k])
            loss = (y * y).sum()
            layer.cleargrads()
            loss.backward()
            rule.update()
            return loss

        step = make(run)
        found.append([])
        for k in range(10):
            found[-1].append(float(step(batches[k % 2])))
            if make is capture and k == 2 * WARM_UPS + 1:  # both graphs have been captured
                graphs = set(step._graphs.values())
    assert found[0] == found[1] and len(set(found[0])) == 10
    assert len(graphs) == 2 and set(step._graphs.values()) == graphs


def test_a_step_is_captured_again_if_the_program_replaces_a_state() -> None:
    found = []
    for make in (lambda f: f, capture):
        dezero_core.seed(0)
        layer = L.RNN(3, in_size=2).to("cuda")
        x = on_device(np.ones((1, 2), "f"))
        step = make(lambda x, layer=layer: layer(x))
        with dezero_core.no_grad():
            found.append([])
            for k in range(12):
                if k == 6:
                    layer.h = Variable(on_device(np.full((1, 3), 0.5, "f")))
                elif k == 9:
                    layer.reset_state()
                found[-1].append(step(x).data.get().tolist())
    assert found[0] == found[1]


def test_a_layer_that_counts_its_calls_is_refused() -> None:
    class Counting(L.Layer):
        count = 0

        def forward(self, x: Any) -> Any:
            self.count += 1
            return x * self.count

    layer = Counting()
    step = capture(lambda x: layer(x))
    for _ in range(WARM_UPS):
        step(on_device(np.ones(2)))
    with pytest.raises(
        CaptureError, match=r"Counting.count, a number that the step changes, at the end"
    ):
        step(on_device(np.ones(2)))
    assert layer.count == WARM_UPS


def test_a_cache_of_keys_is_refused() -> None:
    layer, cache = L.MultiHeadAttention(1, size=2).to("cuda"), nn.KVCache(8)
    x = on_device(np.ones((1, 1, 2), "f"))
    step = capture(lambda x: layer(x, cache=cache))
    with dezero_core.no_grad():
        for _ in range(WARM_UPS):
            step(x)
        with pytest.raises(CaptureError, match=r"KVCache\.extend at .* outside the captured step"):
            step(x)
    assert cache.filled == WARM_UPS


def test_averages_and_clipped_norms_equal_those_of_eager_steps() -> None:
    found = []
    for make in (lambda f: f, capture):
        program = Program()
        ema = rules.EMA(program.model, 0.5)

        def step(x: Any, t: Any, program=program, ema=ema) -> Any:
            loss = nn.softmax_cross_entropy(program.model(x), t)
            program.model.cleargrads()
            loss.backward()
            norm = rules.clip_grad_norm(program.model, 0.1)
            program.optimizer.update()
            ema.update()
            return norm

        made = make(step)
        norms = [float(made(*program.batches[0])) for _ in range(6)]
        means = [s["mean"].get().tolist() for s in ema.state_dict()["parameters"].values()]
        found.append((norms, means, program.state()))
    assert found[0] == found[1] and len(set(found[0][0])) == 6


@pytest.mark.slow
def test_taking_a_batch_in_the_step_is_refused() -> None:
    io = pytest.importorskip("dezero_io")
    loader = io.DataLoader(list(zip(np.ones((8, 2), "f"), range(8), strict=True)), 2).to("cuda")
    batches = iter(loader)
    step = capture(lambda x: next(batches)[0] * x)
    for _ in range(WARM_UPS):
        step(on_device(np.ones(2, "f")))
    with pytest.raises(CaptureError, match="taking a batch of a DataLoader at .*: take it before"):
        step(on_device(np.ones(2, "f")))
    assert loader.iteration == WARM_UPS


def test_on_numpy_arrays_the_step_runs_eagerly() -> None:
    calls = []
    step = capture(lambda x: calls.append(x))
    for _ in range(5):
        step(np.ones(2))
    assert len(calls) == 5 and not step._graphs


def test_a_step_whose_model_is_on_the_host_runs_eagerly_or_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = L.Linear(2, in_size=2)
    rule, x = rules.SGD(0.1).setup(model), np.ones((1, 2), "f")

    @capture
    def step() -> Any:
        loss = model(x).sum()
        model.cleargrads()
        loss.backward()
        rule.update()
        return loss

    on_gpus = Parameter(on_device(np.ones(2, "f")))
    for _ in range(WARM_UPS):
        step()
    before = model.W.data.copy()
    with pytest.raises(CaptureError, match="update of parameters on the host at .*to_gpu"):
        step()
    assert np.array_equal(model.W.data, before) and on_gpus.grad is None
    with pytest.raises(CaptureError, match="a result on the host"):
        made = capture(lambda: model(x))
        for _ in range(WARM_UPS + 1):
            made()
    monkeypatch.setattr("dezero_cuda.capture.params_on_gpus", list)  # none on a GPU
    losses = [float(step()) for _ in range(6)]
    assert len(set(losses)) == 6


# Bad input


def reads(program: Program, x: Any, t: Any) -> Any:
    loss = program.step(x, t)
    print(float(loss))
    return loss


def branches(program: Program, x: Any, t: Any) -> Any:
    loss = program.step(x, t)
    if loss > 1e9:
        raise AssertionError
    return loss


def copies_from_host(program: Program, x: Any, t: Any) -> Any:
    return program.step(x * on_device(np.ones(4, "f")), t)


def draws_on_host(program: Program, x: Any, t: Any) -> Any:
    return program.step(x * float(dezero_core.extend.generator().random()), t)


def waits(program: Program, x: Any, t: Any) -> Any:
    loss = program.step(x, t)
    cupy.cuda.get_current_stream().synchronize()
    return loss


def steps_schedule(program: Program, x: Any, t: Any) -> Any:
    loss = program.step(x, t)
    program.schedule.step()
    return loss


def sets_rate(program: Program, x: Any, t: Any) -> Any:
    program.optimizer.lr = 0.5
    return program.step(x, t)


def accumulates(program: Program, x: Any, t: Any) -> Any:
    loss = nn.softmax_cross_entropy(program.model(x), t)
    loss.backward()
    return loss


def masks(program: Program, x: Any, t: Any) -> Any:
    return program.step(x, t), x[x > 0.5]


def solves(program: Program, x: Any, t: Any) -> Any:
    return program.step(x, t), cupy.linalg.inv(x[:4])


REFUSED: dict[Any, str] = {
    reads: r"float at .*test_capture.py, line \d+ \(print\(float\(loss\)\)\).*read it after",
    branches: r"bool at .*\(if loss > 1e9:\) reads values of an array",
    copies_from_host: r"copies from the host; make the array before the step",
    draws_on_host: r"random number that is drawn on the host at .*generator\(\).*before the step",
    waits: r"waits for the device; wait after the step",
    steps_schedule: r"StepDecay.step\(\) at .*schedule.step\(\)\): call it after the captured step",
    sets_rate: r"SGD.lr = 0.5 at .*: set it before the step",
    accumulates: r"gradient from before the step at .*backward\(\)\): call cleargrads\(\)",
    masks: r"reads values of an array",
    solves: r"calls cuSOLVER; call it outside of the step",
}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, marks=[] if body in (reads, draws_on_host, accumulates) else [slow])
        for body in REFUSED
    ],
    ids=lambda body: body.__name__,
)
def test_what_cannot_be_captured_is_refused_and_changes_nothing(body: Any) -> None:
    program = Program(
        lambda: rules.SGD(0.1, momentum=0.9), NORM, schedule=lambda rule: rules.StepDecay(rule, 7)
    )

    @capture
    def step(x: Any, t: Any) -> Any:
        return body(program, x, t)

    for _ in range(WARM_UPS):
        step(*program.batches[0])
    before = program.state()
    for _ in range(2):
        with pytest.raises(CaptureError, match=REFUSED[body]):
            step(*program.batches[0])
        assert program.state() == before
    program.step(*program.batches[0])  # eager steps still work
    assert program.state() != before


def test_an_exception_in_the_step_is_raised_and_changes_nothing() -> None:
    for error in (ValueError("mine"), KeyboardInterrupt()):
        program, fails = Program(lambda: rules.Adam(0.01), DROPOUT), [False]

        @capture
        def step(x: Any, t: Any, program=program, fails=fails, error=error) -> Any:
            loss = program.step(x, t)
            if fails[0]:
                raise error
            return loss

        for _ in range(WARM_UPS):
            step(*program.batches[0])
        before, fails[0] = program.state(), True
        with pytest.raises(type(error)):
            step(*program.batches[0])
        assert program.state() == before
        fails[0] = False
        step(*program.batches[0])
        assert len(step._graphs) == 1 and program.state() != before


class Interruption:
    """Send SIGINT, as Ctrl-C does, at the n-th line that Python runs in certain files."""

    FILES = ("capture.py", "capture_graph.py", "capture_recorder.py", "interrupts.py")

    def __init__(self, line: int) -> None:
        self.line, self.has_happened = line, False

    def __enter__(self) -> Interruption:
        sys.settrace(self.trace)
        return self

    def __exit__(self, kind: Any, *details: Any) -> bool:
        sys.settrace(None)
        return kind is KeyboardInterrupt

    def trace(self, frame: Any, event: str, argument: Any) -> Any:
        if Path(frame.f_code.co_filename).name not in self.FILES:
            return None
        if event == "line":
            self.line -= 1
            if self.line == 0:
                self.has_happened = True
                signal.raise_signal(signal.SIGINT)
        return self.trace


@pytest.mark.parametrize("captures", [False, True], ids=["replay", "capture"])
@pytest.mark.parametrize("stride", [31, pytest.param(1, marks=slow)])
def test_ctrl_c_leaves_a_whole_captured_step_or_none(captures: bool, stride: int) -> None:
    def make() -> Program:
        return Program(lambda: rules.Adam(0.01), DROPOUT)

    lines = range(1, 400, stride)
    reference, states = make(), []
    for _ in range(WARM_UPS + 250 // stride):
        reference.step(*reference.batches[0])
        states.append(reference.state())
    program = make()
    step = capture(program.step)
    steps = WARM_UPS + (not captures)
    for _ in range(steps):
        step(*program.batches[0])
    for line in lines:
        if captures:
            step._graphs.clear()
        with Interruption(line) as interruption:
            step(*program.batches[0])
        state = program.state()
        assert state in states[steps - 1 : steps + 1]  # as before the call, or as after one step
        steps += state == states[steps]
        if not interruption.has_happened:
            return
    raise AssertionError("the last line was not reached")


def test_a_full_device_is_reported_and_the_state_is_unchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = Program()
    step = capture(program.step)
    for _ in range(WARM_UPS):
        step(*program.batches[0])
    before = program.state()

    def full(*arguments: Any, **settings: Any) -> Any:
        raise MemoryError("Out of memory allocating 4,096 bytes")

    with monkeypatch.context() as patched:
        patched.setattr(cupy, "empty", full)
        with pytest.raises(OutOfMemory, match="MiB free"):
            step(*program.batches[0])
    assert program.state() == before
    step(*program.batches[0])
    assert len(step._graphs) == 1


def test_an_argument_of_another_dtype_has_its_own_graph() -> None:
    step = capture(lambda x: x * 2)
    for dtype in ("float32", "float64", "int32") * 4:
        assert step(on_device(np.ones(2, dtype))).dtype == dtype
    assert len(step._graphs) == 3


def test_a_step_that_returns_nothing_is_captured() -> None:
    losses = []
    for make in (lambda f: f, capture):
        program = Program()
        x, t = program.batches[0]

        def step(program=program, x=x, t=t) -> None:
            program.step(x, t)

        made = make(step)
        for _ in range(6):
            assert made() is None
        losses.append(program.state())
    assert losses[0] == losses[1] and len(made._graphs) == 1


def test_a_step_captured_twice_is_captured_once() -> None:
    step = capture(lambda x: x + 1)
    assert capture(step) is step and isinstance(step, CapturedStep)
    for wrong in (3, Program):
        with pytest.raises(CallError, match="expected a function"):
            capture(wrong)


def test_a_captured_step_inside_a_captured_step_is_part_of_its_graph() -> None:
    inner = capture(lambda x: x * 2)
    outer = capture(lambda x: inner(x) + 1)
    x = on_device(np.ones(2, "f"))
    assert [outer(x).get().tolist() for _ in range(5)] == [[3.0, 3.0]] * 5
    assert len(outer._graphs) == 1


@pytest.mark.parametrize(
    "replaces",
    ["eager step", "checkpoint"]
    + [
        pytest.param(what, marks=slow)
        for what in ("parameter", "other device", "hook", "first hook")
    ],
)
def test_a_step_is_captured_again_if_a_parameter_is_replaced(replaces: str) -> None:
    found = []
    for make in (lambda f: f, capture):
        program = Program(lambda: rules.Adam(0.01))
        step = make(program.step)
        losses = [float(step(*program.batches[0])) for _ in range(6)]
        if replaces == "parameter":
            for p in program.model.params():
                p.data = p.data * 0.5
        elif replaces == "eager step":  # which replaces the arrays of Adam's state
            program.step(*program.batches[0])
        elif replaces == "checkpoint":
            program.optimizer.load_state_dict(program.optimizer.state_dict())
        elif "hook" in replaces:
            program.optimizer.add_hook(rules.WeightDecay(0.1), first=replaces == "first hook")
        else:
            program.model.to_cpu()
            with pytest.raises(BackendMismatch):
                step(*program.batches[0])
            program.model.to("cuda")
        losses += [float(step(*program.batches[0])) for _ in range(6)]
        found.append((losses, program.state()))
    assert found[0] == found[1]


@slow
def test_a_rule_without_rates_is_refused_if_it_counts_else_captured_again() -> None:
    class Counting(rules.Optimizer):
        elementwise = True

        def __init__(self) -> None:
            super().__init__()
            self.lr = 0.1

        def delta(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
            state["n"] = state.get("n", 0) + 1
            return g * (-self.lr / state["n"])

    class Plain(Counting):
        elementwise = True

        def delta(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
            return g * -self.lr

    program = Program(Counting)
    step = capture(program.step)
    for _ in range(WARM_UPS):
        step(*program.batches[0])
    with pytest.raises(CaptureError, match="Counting.update, which changes the number 'n'"):
        step(*program.batches[0])
    found = []
    for make in (lambda f: f, capture):
        program = Program(Plain, schedule=lambda rule: rules.StepDecay(rule, 8))
        found.append(program.run(make(program.step), 12))
    assert found[0] == found[1]


def test_an_unhashable_argument_is_named() -> None:
    with pytest.raises(CaptureError, match="an argument is of type set"):
        capture(lambda x, y: x)(on_device(np.ones(2)), {1})


def test_numpy_arrays_beside_arrays_on_a_gpu_are_refused() -> None:
    step, x = capture(lambda x, y: x), np.ones(2)
    for arguments in ((x, on_device(x)), (on_device(x), Variable(x))):
        with pytest.raises(CaptureError, match="got NumPy arrays and arrays on a GPU"):
            step(*arguments)
