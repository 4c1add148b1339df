"""Test that groups, averages, schedules and every optimizer continue from a checkpoint file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero import Checkpointer, load_checkpoint, save_checkpoint
from dezero import functions as F
from dezero.models import MLP
from dezero.optimizers import (
    EMA,
    LBFGS,
    AdamW,
    Lion,
    MomentumSGD,
    Muon,
    NAdam,
    OneCycle,
    Optimizer,
    RAdam,
    ReduceLROnPlateau,
    StepDecay,
)
from dezero_core.errors import KeyMismatch

X = np.sin(np.arange(40.0)).reshape(8, 5).astype("float32")
T = np.arange(8) % 3


def make(rule: Any) -> dict[str, Any]:
    model = MLP((4, 3), in_size=5)
    for i, p in enumerate(model.named_params().values()):
        p.data = np.cos(np.arange(p.size) + i).reshape(p.shape).astype("float32") / 2
    optimizer = rule().setup(model)
    parts = {"model": model, "optimizer": optimizer, "ema": EMA(model, decay=0.5)}
    if not isinstance(optimizer, LBFGS):
        optimizer.add_group(model.l1, lr=0.01)
        parts |= {"cycle": OneCycle(optimizer, 20), "plateau": ReduceLROnPlateau(optimizer)}
    return parts


def train(parts: dict[str, Any], steps: int) -> bytes:
    """Train, and return all weights and their averages as bytes."""
    model, optimizer = parts["model"], parts["optimizer"]

    def closure() -> Any:
        model.cleargrads()
        loss = F.softmax_cross_entropy(model(X), T)
        loss.backward()
        return loss

    for _ in range(steps):
        loss = closure()
        optimizer.step(*[closure] if isinstance(optimizer, LBFGS) else [])
        parts["ema"].update()
        if "plateau" in parts:
            parts["cycle"].step()
            parts["plateau"].step(loss)
    weights = [p.data.tobytes() for p in model.params()]
    with parts["ema"].applied():
        return b"".join([*weights, *(p.data.tobytes() for p in model.params())])


RULES = [
    lambda: AdamW(0.1, weight_decay=0.1), lambda: MomentumSGD(0.1, nesterov=True), NAdam, RAdam,
    Lion, Muon, lambda: LBFGS(0.1, max_iter=3),
    lambda: LBFGS(max_iter=2, line_search_fn="strong_wolfe"),
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("rule", RULES)
def test_a_run_continues_from_a_file(rule: Any, suffix: str, tmp_path: Path) -> None:
    run, resumed = make(rule), make(rule)
    train(run, 3)
    save_checkpoint(tmp_path / f"last{suffix}", **run)
    load_checkpoint(tmp_path / f"last{suffix}", **resumed)
    assert repr(resumed["optimizer"]) == repr(run["optimizer"])
    assert train(resumed, 3) == train(run, 3)


def test_groups_are_created_from_a_file(tmp_path: Path) -> None:
    run = make(AdamW)
    train(run, 2)
    Checkpointer(tmp_path).save(2, **run)
    other = make(AdamW)
    other["optimizer"] = AdamW().setup(other["model"])
    for name, schedule in (("cycle", OneCycle), ("plateau", ReduceLROnPlateau)):
        settings = (20,) if name == "cycle" else ()
        other[name] = schedule(other["optimizer"], *settings)
    assert not other["optimizer"].groups
    Checkpointer(tmp_path).load(**other)
    assert train(other, 2) == train(run, 2)


def test_groups_of_another_model_are_refused(tmp_path: Path) -> None:
    optimizer: Optimizer = AdamW().setup(MLP((4, 3), in_size=5))
    optimizer.add_group(lambda p: p.ndim < 2, weight_decay=0.0)
    schedule = StepDecay(optimizer, 3)
    save_checkpoint(tmp_path / "last.npz", optimizer=optimizer, schedule=schedule)
    other = AdamW().setup(MLP((4,), in_size=5))
    with pytest.raises(KeyMismatch, match="unexpected 'l1/b'"):
        load_checkpoint(tmp_path / "last.npz", optimizer=other, schedule=StepDecay(other, 3))
    assert not other.groups
