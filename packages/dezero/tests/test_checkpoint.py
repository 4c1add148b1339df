"""Test that a run resumed from a checkpoint has the same bits as one without interruption."""

import copy
import random
import tracemalloc
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dezero
from dezero import Checkpointer, DataLoader, load_checkpoint, save_checkpoint
from dezero import functions as F
from dezero import layers as L
from dezero.datasets import Spiral
from dezero.optimizers import SGD, Adam, CosineDecay, MomentumSGD
from dezero_core.errors import (
    CallError,
    FormatError,
    KeyMismatch,
    SaveError,
    ShapeMismatch,
    WeightsError,
)
from dezero_core.extend import generator, rank_generator
from dezero_core.state import own_streams, use_rank
from dezero_io.weights.random_state import Generators


class Net(dezero.Model):
    """A model with dropout and batch normalisation: random numbers and buffers."""

    def __init__(self, hidden: int = 6) -> None:
        self.l1, self.bn, self.l2 = L.Linear(hidden), L.BatchNorm(), L.Linear(3)

    def forward(self, x: Any) -> Any:
        return self.l2(F.dropout(F.relu(self.bn(self.l1(x))), 0.3))


def make(optimizer: Any = MomentumSGD, hidden: int = 6) -> dict[str, Any]:
    model = Net(hidden)
    steps = optimizer().setup(model)
    return {
        "model": model,
        "optimizer": steps,
        "schedule": CosineDecay(steps, 100),
        "loader": DataLoader(Spiral(), 30, generator=np.random.default_rng(3)),
        "own": np.random.default_rng(4),
    }


def train(
    parts: dict[str, Any], first: int, last: int, after: Callable[[int], Any] = lambda step: None
) -> list[float]:
    """Train from step ``first`` to ``last``, with ten batches an epoch; return the losses."""
    losses: list[float] = []
    while first + len(losses) < last:
        for x, t in parts["loader"]:
            x = x + parts["own"].normal(0, 0.01, x.shape).astype("float32")
            x = x + np.float32(random.random() * 0.01)
            loss = F.softmax_cross_entropy(parts["model"](x), t)
            parts["model"].cleargrads()
            loss.backward()
            parts["optimizer"].update()
            parts["schedule"].step()
            losses.append(float(loss))
            after(first + len(losses))
            if first + len(losses) == last:
                break
    return losses


def bits(parts: dict[str, Any]) -> dict[str, bytes]:
    return {key: x.data.tobytes() for key, x in parts["model"].named_params().items()}


@pytest.fixture(autouse=True)
def seeded() -> Any:
    dezero.seed(0)
    random.seed(0)
    yield


@pytest.mark.parametrize("optimizer", [SGD, MomentumSGD, Adam])
@pytest.mark.parametrize("stop", [1, 9, 10, 11, 17])
def test_a_resumed_run_has_the_same_bits(optimizer: Any, stop: int, tmp_path: Path) -> None:
    parts = make(optimizer)

    def after(step: int) -> None:
        if step == stop:
            save_checkpoint(tmp_path / "run", **parts)

    expected = train(parts, 0, 24, after)[stop:], bits(parts)

    dezero.seed(99)
    random.seed(99)
    fresh = make(optimizer)
    load_checkpoint(tmp_path / "run", **fresh)
    assert (train(fresh, stop, 24), bits(fresh)) == expected


def test_the_suffix_selects_the_format(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="the extra dezero-io[safetensors]")
    parts = make()
    train(parts, 0, 3)
    save_checkpoint(tmp_path / "run.safetensors", metadata={"note": "x"}, **parts)
    fresh = make()
    found = load_checkpoint(tmp_path / "run.safetensors", **fresh)
    assert bits(fresh) == bits(parts) and found.metadata == {"note": "x"}
    with pytest.raises(FormatError, match="no format for '.ckpt'"):
        save_checkpoint(tmp_path / "run.ckpt", **parts)


def test_weights_alone_are_not_enough(tmp_path: Path) -> None:
    """Without the optimizer and the generators, a resumed run differs: the test above can fail."""
    parts = make()
    expected = train(
        parts, 0, 9, lambda step: step == 5 and save_checkpoint(tmp_path / "run", **parts)
    )[5:]
    fresh = make()
    load_checkpoint(tmp_path / "run", model=fresh["model"])
    assert train(fresh, 5, 9) != expected


def test_the_generator_of_a_rank_is_restored(tmp_path: Path) -> None:
    def job() -> None:
        own_streams(np.random.default_rng(0))
        use_rank(1)
        save_checkpoint(tmp_path / "run", extra={})
        expected = generator().random(), rank_generator().random()
        load_checkpoint(tmp_path / "run", extra={})
        assert (generator().random(), rank_generator().random()) == expected
        before = rank_generator()
        state = {**Generators().state_dict(), "rank": None}
        Generators().load_state_dict(state)
        del state["rank"]  # files of earlier versions lack this entry
        Generators().load_state_dict(state)
        assert rank_generator() is before

    copy_context().run(job)


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    parts = make()
    train(parts, 0, 3)
    save_checkpoint(tmp_path / "run", **parts)
    other = make(hidden=7)
    train(other, 0, 3)
    mersenne = np.random.Generator(np.random.MT19937(0))
    for changes, error, message in [
        ({}, ShapeMismatch, "'l1/W': model \\(2, 7\\), file \\(2, 6\\)"),
        ({"model": {}}, KeyMismatch, "unexpected 'l1/W'"),
        (
            {"model": make()["model"], "optimizer": Adam().setup(other["model"])},
            KeyMismatch,
            "not of this Adam and its model: unexpected 'lr'",
        ),
        ({"model": make()["model"]}, ShapeMismatch, "'l1/W': model .* 'v' is"),
        ({"extra": {}}, KeyMismatch, "has no extra; it has generators, model"),
        ({**parts, "own": mersenne}, WeightsError, "type 'PCG64'"),
        ({**parts, "loader": DataLoader(Spiral(), 30)}, WeightsError, "only one"),
        (
            {**parts, "loader": DataLoader([(0, 0)] * 9, 3, generator=mersenne)},
            WeightsError,
            "has 300 examples, the dataset 9",
        ),
    ]:
        all_parts = {**other, **changes}
        before = bits(other), other["optimizer"].state_dict()["settings"], random.getstate()
        order = all_parts["loader"].state_dict()["index"]
        with pytest.raises(error, match=message):
            load_checkpoint(tmp_path / "run", **all_parts)
        after = bits(other), other["optimizer"].state_dict()["settings"], random.getstate()
        assert after == before and np.array_equal(all_parts["loader"].state_dict()["index"], order)


class State:
    """A part with a given state."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Any]:
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.state = state


@pytest.mark.parametrize("optimizer", [MomentumSGD, Adam])
def test_a_large_state_of_an_optimizer_is_not_read(optimizer: Any, tmp_path: Path) -> None:
    parts = make(optimizer)
    train(parts, 0, 3)
    before = parts["optimizer"].state_dict()
    large = copy.deepcopy(before)
    large["parameters"]["l1/W"]["v"] = np.zeros(1 << 21, "float32")  # 8 MB
    save_checkpoint(tmp_path / "run", model=parts["model"], optimizer=State(large))
    small = {"model": parts["model"], "optimizer": parts["optimizer"]}
    tracemalloc.start()
    try:
        with pytest.raises(ShapeMismatch, match=r"'l1/W': model \(2, 6\), 'v' is \(2097152,\)"):
            load_checkpoint(tmp_path / "run", **small)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert repr(parts["optimizer"].state_dict()) == repr(before)


@pytest.mark.parametrize(
    "state, message",
    [
        ({}, "'optimizer' is damaged: 'settings'"),
        ({"settings": {}, "parameters": {"l1/W": 3}}, "'optimizer' is damaged: 'int' object"),
        ({"settings": {"lr": 0.1}, "parameters": []}, "'optimizer' is damaged: 'list' object"),
    ],
)
def test_a_damaged_state_of_an_optimizer_changes_nothing(
    state: dict[str, Any], message: str, tmp_path: Path
) -> None:
    parts = make()
    train(parts, 0, 1)
    save_checkpoint(tmp_path / "run", optimizer=State(state), own=parts["own"])
    before = parts["own"].bit_generator.state, repr(parts["optimizer"].state_dict())
    parts["own"].random()
    now = parts["own"].bit_generator.state
    with pytest.raises(FormatError, match=f"run.npz: the state of {message}"):
        load_checkpoint(tmp_path / "run", own=parts["own"], optimizer=parts["optimizer"])
    assert parts["own"].bit_generator.state == now != before[0]
    assert repr(parts["optimizer"].state_dict()) == before[1]


def test_load_state_dict_copies_and_stage_state_does_not() -> None:
    """The optimizer uses the arrays of ``stage_state``, and copies those of ``load_state_dict``."""
    parts = make()
    train(parts, 0, 1)
    steps, state = parts["optimizer"], parts["optimizer"].state_dict()
    array, start = state["parameters"]["l1/W"]["v"], state["parameters"]["l1/W"]["v"].copy()
    steps.load_state_dict(state)
    assert not any(kept["v"] is array for kept in steps.param_states.values())
    steps.update()
    assert np.array_equal(array, start)
    commit = steps.stage_state(state)
    assert not np.array_equal(steps.state_dict()["parameters"]["l1/W"]["v"], start), "not yet"
    commit()
    assert np.array_equal(steps.state_dict()["parameters"]["l1/W"]["v"], start)
    assert any(kept["v"] is array for kept in steps.param_states.values())
    assert state["parameters"]["l1/W"].keys() == {"v"}, "the state itself stays as it is"


def test_weights_cannot_be_loaded_as_a_checkpoint(tmp_path: Path) -> None:
    parts = make()
    with pytest.raises(SaveError, match="l1/W, .*no data yet"):
        save_checkpoint(tmp_path / "run", **parts)
    train(parts, 0, 1)
    parts["model"].save_weights(tmp_path / "weights")
    with pytest.raises(FormatError, match="is not a checkpoint; read weights with load_weights"):
        load_checkpoint(tmp_path / "weights", **parts)
    with pytest.raises(SaveError, match="odd/x is of type set; states hold"):
        save_checkpoint(tmp_path / "run", odd=Odd())


class Odd:
    """A part with an object that cannot be stored."""

    def state_dict(self) -> dict[str, Any]:
        return {"x": {1, 2}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise AssertionError


def test_the_latest_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    parts = make()
    train(parts, 0, 1)
    checkpoints = Checkpointer(tmp_path / "run", keep=2, best="max")
    assert checkpoints.load(**parts) is None
    for step, score in enumerate([0.1, 0.9, 0.3, 0.2, 0.5]):
        checkpoints.save(step, score=score, metadata={"note": str(step)}, **parts)
    assert checkpoints.steps() == [1, 3, 4]
    assert checkpoints.best_step() == 1
    found = checkpoints.load(**parts)
    assert found is not None and found.step == 4
    assert found.metadata == {"note": "4", "score": "0.5"}


@pytest.mark.parametrize(
    "best, scores, expected",
    [
        ("min", [0.5, float("nan"), 0.7, float("nan")], 0),
        ("max", [0.5, float("nan"), 0.7, float("nan")], 2),
        ("min", [float("nan"), 0.3, 0.5], 1),
        ("min", [float("nan"), float("nan")], None),
        ("max", [float("nan"), float("-inf"), float("nan")], 1),
        ("max", [0.5, 0.5, 0.5], 0),
        ("min", [np.float32(2), np.array([1]), dezero.Variable(np.array(3.0)), 4, True], 1),
    ],
)
def test_scores(best: str, scores: list[Any], expected: int | None, tmp_path: Path) -> None:
    checkpoints = Checkpointer(tmp_path, keep=1, best=best)
    for step, score in enumerate(scores):
        checkpoints.save(step, score=score)
    assert checkpoints.best_step() == expected
    assert checkpoints.steps() == sorted({len(scores) - 1} | {expected} - {None})


def test_invalid_scores_and_steps_are_refused(tmp_path: Path) -> None:
    checkpoints = Checkpointer(tmp_path / "run", keep=np.int64(1))
    for score in ("0.5", np.ones(2), 1j, [1.0]):
        with pytest.raises(ValueError, match="score .*; expected one real number"):
            checkpoints.save(1, score=score)
    for step, message in [(1.0, "is not an integer"), (-1, "is below 0"), (None, "not an integer")]:
        with pytest.raises(ValueError, match=f"step .* ?{message}"):
            checkpoints.save(step)
    assert not (tmp_path / "run").exists()
    checkpoints.save(np.int64(3))
    assert checkpoints.steps() == [3]
    with pytest.raises(ValueError, match=r"keep 2.5 is not an integer"):
        Checkpointer(tmp_path, keep=2.5)


def test_a_damaged_checkpoint_is_skipped(tmp_path: Path) -> None:
    parts = make()
    train(parts, 0, 1)
    checkpoints = Checkpointer(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, **parts)
    whole = checkpoints.path(2).read_bytes()
    checkpoints.path(2).write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"skipped a checkpoint: .*step-000000002\.npz"):
        found = checkpoints.load(**parts)
    assert found is not None and found.step == 1
    checkpoints.path(1).write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="skipped a checkpoint"),
        pytest.raises(FormatError, match="every checkpoint is damaged"),
    ):
        checkpoints.load(**parts)


class Stale(Checkpointer):
    """Another process saved step 4 and removed 2 and 3 after the first look into the folder."""

    stale = True

    def steps(self) -> list[int]:
        found = [1, 2, 3] if self.stale else super().steps()
        self.stale = False
        return found


@pytest.mark.parametrize("left", [[1], [1, 4], []])
def test_a_checkpoint_that_another_process_removed_is_skipped(
    left: list[int], tmp_path: Path
) -> None:
    parts = make()
    train(parts, 0, 1)
    for step in left:
        Checkpointer(tmp_path).save(step, score=-step, **parts)
    found = Stale(tmp_path, best="max").load(**parts)
    assert [found.step if found else None] == (left[-1:] or [None])
    assert [Stale(tmp_path, best="max").best_step()] == (left[:1] or [None])
    assert Stale(tmp_path, best="max").save(5, score=-5, **parts).exists()


class Lacking:
    """A part that needs a missing file."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise FileNotFoundError("the vocabulary")


def test_a_file_that_a_part_lacks_is_an_error(tmp_path: Path) -> None:
    Checkpointer(tmp_path).save(1, part=Lacking())
    with pytest.raises(FileNotFoundError, match="the vocabulary"):
        Checkpointer(tmp_path).load(part=Lacking())


def test_parts_are_passed_by_name(tmp_path: Path) -> None:
    model, path = Net(), tmp_path / "x"
    for call in (
        lambda: save_checkpoint(path, model),
        lambda: load_checkpoint(path, model),
        lambda: Checkpointer(tmp_path).save(1, model),
        lambda: Checkpointer(tmp_path).load(model),
    ):
        with pytest.raises(CallError, match="a part of type Net by position; .*model=model"):
            call()
    assert not [*tmp_path.iterdir()]


def test_settings_of_a_checkpointer(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep 0 is below 1"):
        Checkpointer(tmp_path, keep=0)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file; expected a folder"):
        Checkpointer(tmp_path / "file")
    with pytest.raises(ValueError, match="best is 'most'"):
        Checkpointer(tmp_path, best="most")
    with pytest.raises(ValueError, match="score is missing"):
        Checkpointer(tmp_path, best="min", writer=False).save(1)
    with pytest.raises(ValueError, match="writer is 'me'"):
        Checkpointer(tmp_path, writer="me")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the part name 'generators' is reserved"):
        save_checkpoint(tmp_path / "x", generators={})


def test_states_of_ranks_are_stored_beside_those_of_the_parts(tmp_path: Path) -> None:
    checkpoints, kept = Checkpointer(tmp_path), np.random.default_rng(0)
    states = [{"dezero": np.random.default_rng(rank).bit_generator.state} for rank in range(3)]
    checkpoints.save(1, rank_states=states, kept=kept)
    found = checkpoints.load(kept=np.random.default_rng(9))
    assert found is not None
    assert list(found.rank_states) == states
    with pytest.raises(KeyMismatch, match="has no other; it has generators, kept$"):
        checkpoints.load(other=kept)
    checkpoints.save(2, kept=kept)
    found = checkpoints.load(kept=kept)
    assert found is not None and found.rank_states == ()
    with pytest.raises(ValueError, match="rank_states is of type dict; expected a list"):
        checkpoints.save(3, rank_states={})
    assert checkpoints.steps() == [1, 2]


def test_only_the_writer_writes_and_marks_show_a_common_folder(tmp_path: Path) -> None:
    writer, other = (Checkpointer(tmp_path / "run", writer=rank == 0) for rank in range(2))
    assert not other.save(1).exists() and not (tmp_path / "run").exists()
    assert writer.save(1) == other.save(1)
    mark = writer.create_mark()
    assert writer.has_mark(mark) and other.has_mark(mark)
    assert not Checkpointer(tmp_path / "elsewhere").has_mark(mark)
    assert not (writer.create_mark() == mark or other.has_mark(mark))
    assert writer.steps() == [1]


def test_loading_does_not_change_the_mode_of_layers(tmp_path: Path) -> None:
    saved, loaded = make()["model"], make()["model"]
    saved(np.ones((2, 2), "float32"))
    saved.eval()
    saved.save_weights(tmp_path / "w.npz")
    save_checkpoint(tmp_path / "c.npz", model=saved)
    loaded(np.ones((2, 2), "float32"))
    loaded.load_weights(tmp_path / "w.npz")
    load_checkpoint(tmp_path / "c.npz", model=loaded)
    assert loaded.training and loaded.bn.training and not saved.bn.training
