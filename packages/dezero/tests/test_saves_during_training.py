"""Test saves while another thread trains: every file is consistent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dezero
from dezero import layers as L
from dezero import load_checkpoint, save_checkpoint
from dezero.optimizers import SGD, AdaGrad, Adam, AdamW, MomentumSGD

SIDE, SAVES = 300, 8
OPTIMIZERS = [MomentumSGD] + [
    pytest.param(rule, marks=pytest.mark.slow) for rule in (SGD, AdaGrad, Adam, AdamW)
]


class Net(dezero.Model):
    """Return three arrays whose elements are all equal."""

    def __init__(self, value: float) -> None:
        self.layers = [L.Linear(SIDE, in_size=SIDE, nobias=True) for _ in range(3)]
        for x in self.params():
            x.data = np.full((SIDE, SIDE), value, "float32")


@contextmanager
def training(optimizer: Any) -> Iterator[None]:
    """Let another thread update a model, whose gradients are ones, until the block ends."""
    stop, failed = threading.Event(), []

    def run() -> None:
        try:
            while not stop.is_set():
                optimizer.update()
        except BaseException as error:
            failed.append(error)

    for x in optimizer.target.params():
        x.grad = dezero.Variable(np.ones_like(x.data))
    optimizer.update()  # the state of every parameter exists
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failed


def save_weights(path: Path, model: Net, optimizer: Any, compress: bool = False) -> None:
    model.save_weights(path, compress=compress)


def load_weights(path: Path, optimizer: Any) -> dict[str, Any]:
    """Return the arrays of a file."""
    model = Net(0)
    model.load_weights(path, verify=True)
    return {key: x.data for key, x in model.named_params().items()}


def save_parts(path: Path, model: Net, optimizer: Any) -> None:
    save_checkpoint(path, model=model, optimizer=optimizer)


def load_parts(path: Path, optimizer: Any) -> dict[str, Any]:
    """Return the arrays of a checkpoint, those of the optimizer too."""
    model = Net(0)
    rule = type(optimizer)().setup(model)
    load_checkpoint(path, model=model, optimizer=rule)
    found = {key: x.data for key, x in model.named_params().items()}
    for key, state in rule.state_dict()["parameters"].items():
        found |= {f"{key}/{name}": x for name, x in state.items() if np.ndim(x)}
    return found


def deflated(path: Path, model: Net, optimizer: Any) -> None:
    save_weights(path, model, optimizer, compress=True)


Save = Callable[[Path, Net, Any], None]
Load = Callable[[Path, Any], dict[str, Any]]
FILES: dict[str, tuple[str, Save, Load]] = {
    "npz": ("m.npz", save_weights, load_weights),
    "deflated": ("m.npz", deflated, load_weights),
    "safetensors": ("m.safetensors", save_weights, load_weights),
    "checkpoint": ("c.npz", save_parts, load_parts),
    "checkpoint as safetensors": ("c.safetensors", save_parts, load_parts),
}


@pytest.mark.parametrize("file_type", FILES)
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_file_saved_during_training_can_be_loaded(
    rule: Any, file_type: str, tmp_path: Path
) -> None:
    """The checksums match the arrays in the file, even if a thread changed them meanwhile."""
    name, save, load = FILES[file_type]
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors", reason="the extra dezero-io[safetensors]")
    model = Net(1)
    optimizer = rule().setup(model)
    saves = SAVES if rule is not MomentumSGD else 3
    with training(optimizer):
        for n in range(saves):
            save(tmp_path / f"{n}{name}", model, optimizer)
    for n in range(saves):
        found = load(tmp_path / f"{n}{name}", optimizer)
        values: dict[str, set[float]] = {}
        for key, x in found.items():
            assert (x == x.flat[0]).all(), f"{key} is of two moments"
            values.setdefault(key.rpartition("/")[2], set()).add(float(x.flat[0]))
        assert all(len(numbers) == 1 for numbers in values.values()), f"of two moments: {values}"


def test_state_dict_may_wait_for_the_training_thread(tmp_path: Path) -> None:
    """Save a part whose state waits for a running update: no lock may be held meanwhile."""
    model = Net(1)
    optimizer = SGD().setup(model)
    for x in model.params():
        x.grad = dezero.Variable(np.ones_like(x.data))

    class History:
        def state_dict(self) -> dict[str, Any]:
            thread = threading.Thread(target=optimizer.update, daemon=True)
            thread.start()
            thread.join(10)
            return {"updated": not thread.is_alive()}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.updated = state["updated"]

    history = History()
    save_checkpoint(tmp_path / "c", model=model, optimizer=optimizer, history=history)
    load_checkpoint(tmp_path / "c", history=history)
    assert history.updated
