"""Count the files and functions of DeZero that one training step enters.

    hatch run python benchmarks/step_profile.py [--list]

The step is the fourth of its network, so caches and lazy parameters are filled. ``--list`` prints
the functions in the order in which the step first enters them, as docs/tour.md follows them.
"""

import sys
from collections.abc import Callable
from types import FrameType

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero.models import MLP, Model
from dezero.optimizers import SGD, Adam, Optimizer

Step = Callable[[], None]


class SmallCNN(Model):
    """The network of docs/tour.md: two convolutions, pooling, dropout and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = L.Conv2d(8, 3), L.Conv2d(16, 3)
        self.linear = L.Linear(10)

    def forward(self, x: dezero.Variable) -> dezero.Variable:
        h = F.pooling(F.relu(self.conv1(x)), 2, 2)
        h = F.relu(self.conv2(h))
        h = F.dropout(F.reshape(h, (h.shape[0], -1)), 0.5)
        return self.linear(h)


def training_step(model: Model, optimizer: Optimizer, shape: tuple[int, ...]) -> Step:
    """Return a function that trains on one random batch of ``shape``, with ten classes."""
    optimizer.setup(model)
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape).astype(np.float32)
    t = generator.integers(0, 10, shape[0])

    def step() -> None:
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()

    return step


def functions_entered(step: Step) -> list[tuple[str, str]]:
    """Return file and name of each DeZero function, in the order in which ``step`` enters them."""
    for _ in range(3):
        step()
    entered: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        file, name = frame.f_code.co_filename, frame.f_code.co_qualname
        if event == "call" and "/src/dezero" in file:
            entered[file.rpartition("/src/")[2], name] = None

    sys.setprofile(note)
    step()
    sys.setprofile(None)
    return list(entered)


STEPS: dict[str, Callable[[], Step]] = {
    "MLP with SGD": lambda: training_step(MLP((100, 10)), SGD(0.1), (32, 784)),
    "CNN with Adam": lambda: training_step(SmallCNN(), Adam(), (16, 1, 28, 28)),
}


def main() -> None:
    """Print the counts for both networks, and with ``--list`` the functions."""
    for network, make in STEPS.items():
        entered = functions_entered(make())
        files = {file for file, _ in entered}
        print(f"{network}: {len(files)} files, {len(entered)} functions")
        if "--list" in sys.argv:
            for file, name in entered:
                print(f"  {file}  {name}")


if __name__ == "__main__":
    main()
