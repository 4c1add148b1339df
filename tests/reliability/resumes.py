"""Count the steps of a run at which resuming it leads to other final weights."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, fingerprint, script

import dezero_core
from dezero_core.functions import matmul
from dezero_io import DataLoader, Spiral, load_checkpoint, save_checkpoint
from dezero_nn import MLP, BatchNorm, CosineDecay, MomentumSGD, dropout, softmax_cross_entropy

STEPS = 100


class Net(MLP):
    """Compute a network with dropout and running statistics."""

    def __init__(self) -> None:
        super().__init__((8, 3))
        self.bn = BatchNorm()

    def forward(self, x: Any) -> Any:
        return super().forward(dropout(self.bn(matmul(x, np.eye(2, 6, dtype="float32"))), 0.2))


def make() -> dict[str, Any]:
    """Return the parts of a new run."""
    model = Net()
    optimizer = MomentumSGD().setup(model)
    schedule = CosineDecay(optimizer, STEPS)
    return {
        "model": model, "optimizer": optimizer, "schedule": schedule,
        "loader": DataLoader(Spiral(), 40),
    }  # fmt: skip


def train(parts: dict[str, Any], step: int, folder: Path | None = None) -> str:
    """Train to the last step, with checkpoints if ``folder`` is set; return a fingerprint."""
    while step < STEPS:
        for x, t in parts["loader"]:
            loss = softmax_cross_entropy(parts["model"](x), t)
            parts["model"].cleargrads()
            loss.backward()
            parts["optimizer"].update()
            parts["schedule"].step()
            step += 1
            if folder is not None:
                save_checkpoint(folder / str(step), **parts)
            if step == STEPS:
                break
    return fingerprint(parts["model"])


def measure(long: bool = False) -> Figure:
    """Resume at each step of a run with momentum, a schedule, shuffling and dropout."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dezero_core.seed(0)
        expected, different = train(make(), 0, folder), 0
        for step in range(1, STEPS + 1):
            dezero_core.seed(step)
            parts = make()
            load_checkpoint(folder / str(step), **parts)
            different += train(parts, step) != expected
    return Figure(different, 0, f"resumed at each of {STEPS} steps")


if __name__ == "__main__":
    script(measure)
