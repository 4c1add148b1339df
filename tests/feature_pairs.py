"""Train with two features at once, stop, resume from a checkpoint, and compare all bits.

``mpiexec -n 2 python tests/feature_pairs.py FOLDER`` does this for all pairs with several ranks,
and prints the results of the ranks as JSON. tests/test_combinations.py runs the other pairs.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Checkpointer, DataLoader, Dataset, no_grad, optimizers
from dezero_core.extend import unwrap

RANKS = ("several ranks", "sharded state")
FEATURES = (
    *RANKS,
    "accumulate",
    "captured",
    "loader workers",
    "dezero-onednn",
    "precision",
    "EMA",
    "Muon",
    "L-BFGS",
    "LSTM state",
    "KV cache",
)
REFUSED = {
    ("several ranks", "captured"): "mpi: the sum over ranks of a cupy.ndarray; expected a NumPy",
    ("several ranks", "L-BFGS"): "world.parallel: LBFGS decides by losses",
    ("sharded state", "captured"): "mpi: the sum over ranks of a cupy.ndarray; expected a NumPy",
    ("sharded state", "Muon"): "world.parallel: shard=True, but .* Muon's update",
    ("sharded state", "L-BFGS"): "world.parallel: LBFGS decides by losses",
    ("captured", "L-BFGS"): "capture: step at .* reads values of an array",
    ("L-BFGS", "LSTM state"): "an earlier backward.. went through this part of the graph",
    ("LSTM state", "KV cache"): "LSTM.forward: unknown keyword 'cache'",
}
"""The pairs that raise an error, with a pattern of its message. All other pairs must give the same
bits whether the training was stopped or not; docs/scale.md has the list."""

ROWS, BATCH = 8, 4
STOP, END = 3, 6
"""The steps after which training is stopped, in the middle of an epoch, and after which it ends."""


class Sequences(Dataset):
    """Hold eight sequences of five steps of three numbers, and a class for each."""

    def prepare(self) -> None:
        draw = np.random.default_rng(0)
        self.data = draw.normal(size=(ROWS, 5, 3)).astype("f")
        self.label = np.arange(ROWS) % 2


class Network(dezero.Model):
    """Apply attention or an LSTM to a sequence, with dropout; one weight is a matrix, for Muon."""

    def __init__(self, recurrent: object) -> None:
        self.inner = L.LSTM(4, batch_first=True) if recurrent else L.MultiHeadAttention(1, 3)
        self.norm, self.last = L.LayerNorm(), L.Linear(2)

    def forward(self, x: Any, cache: Any = None) -> Any:
        h = self.inner(x) if cache is None else self.inner(x, cache=cache)
        return self.last(F.dropout(self.norm(h)[:, -1], 0.2))


class State:
    """Save and load the state of an LSTM as a part of a checkpoint."""

    def __init__(self, layer: Any, backend: str) -> None:
        self.layer, self.backend = layer, backend

    def state_dict(self) -> Any:
        state = self.layer.state
        return None if state is None else [unwrap(x) for x in state]

    def load_state_dict(self, state: Any) -> None:
        self.layer.state = state and [dezero.Variable(x).to(self.backend) for x in state]


class Job:
    """Train with some features; two jobs with the same features start from the same values."""

    def __init__(self, features: tuple[str, ...], world: Any) -> None:
        self.features, self.world = features, world
        # oneDNN has a kernel for LSTMs, and none for attention.
        recurrent = {"LSTM state", "dezero-onednn"} & set(features) and "KV cache" not in features
        self.model = Network(recurrent or "LSTM state" in features)
        loader = DataLoader(Sequences(), BATCH, num_workers=2 * ("loader workers" in features))
        self.loader = world.share(loader)
        self.backend = "cuda" if "captured" in features else "numpy"
        self.loader.to(self.backend)
        shard = {"shard": True} if "sharded state" in features else {}
        self.optimizer = world.parallel(self.rule().setup(self.model), **shard)
        self.ema = optimizers.EMA(self.model, 0.5)
        self.model.to(self.backend)
        self.parts = {"model": self.model, "optimizer": self.optimizer, "loader": self.loader}
        if "EMA" in features:
            self.parts["ema"] = self.ema
        if "LSTM state" in features:
            self.parts["state"] = State(self.model.inner, self.backend)
        self.step = dezero.cuda.capture(self.train) if "captured" in features else self.train

    def rule(self) -> Any:
        if "L-BFGS" in self.features:
            return optimizers.LBFGS(lr=0.1, max_iter=2)
        return optimizers.Muon(0.1) if "Muon" in self.features else optimizers.Adam(0.1)

    def train(self, x: Any, t: Any) -> Any:
        if "L-BFGS" in self.features:
            return self.optimizer.step(lambda: self.loss(x, t))
        if "accumulate" in self.features:
            with self.optimizer.accumulate():
                self.loss(x, t)
            self.cut_graph()
            loss = self.loss(x, t, cleared=False)
        else:
            loss = self.loss(x, t)
        self.optimizer.update()
        return loss

    def loss(self, x: Any, t: Any, cleared: bool = True) -> Any:
        if "LSTM state" not in self.features and isinstance(self.model.inner, L.LSTM):
            self.model.inner.reset_state()
        loss = F.softmax_cross_entropy(self.model(x), t)
        if cleared:
            self.model.cleargrads()
        loss.backward()
        return loss

    def run(self, stop: int, start: int = 0) -> None:
        """Take the steps from ``start`` to ``stop``."""
        steps = start
        with dezero.precision("tf32" if "precision" in self.features else "float32"):
            while steps < stop:
                for x, t in self.loader:
                    self.step(x, t)
                    self.cut_graph()
                    if "EMA" in self.features:
                        self.ema.update()
                    if "KV cache" in self.features:
                        self.sample(x)
                    steps += 1
                    if steps == stop:
                        break

    def cut_graph(self) -> None:
        """Keep the state of an LSTM without the graph of earlier steps."""
        if "LSTM state" in self.features:
            for state in (self.model.inner.h, self.model.inner.c):
                state.unchain_backward()

    def sample(self, x: Any) -> None:
        """Compute the positions of a batch one after the other, with a cache."""
        cache = L.KVCache(5)
        with no_grad(), dezero.test_mode():
            for i in range(5):
                self.model(x[:, i : i + 1], cache=cache)

    def bits(self) -> dict[str, Any]:
        """Return all parameters, and the states of the optimizer and the averages."""
        return {
            **{key: hexed(p.data) for key, p in self.model.named_params().items()},
            "optimizer": hexed(self.optimizer.state_dict()),
            "ema": hexed(self.ema.state_dict()),
        }


def hexed(value: Any) -> Any:
    """Replace every array by its bytes."""
    if isinstance(value, dict):
        return {key: hexed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hexed(item) for item in value]
    return np.asarray(value.get() if hasattr(value, "get") else value).tobytes().hex()


def trained(
    features: tuple[str, ...], new_world: Callable[[], Any], folder: Path
) -> tuple[str, str]:
    """Train without a stop, and with a stop and a checkpoint; compare the results.

    Args:
        features: the features of the job.
        new_world: a function that returns the ranks of a job.
        folder: a folder for the checkpoint.

    Returns:
        the names of the states that differ, or an empty string; and a SHA-256 of the parameters.
    """
    dezero.seed(0)
    straight = Job(features, new_world())
    straight.run(END)
    dezero.seed(0)
    first = Job(features, new_world())
    first.run(STOP)
    first.world.save(Checkpointer(folder), STOP, **first.parts)
    dezero.seed(5)
    second = Job(features, new_world())
    second.world.load(Checkpointer(folder), **second.parts)
    second.model.to(second.backend)
    second.run(END, STOP)
    expected, found = straight.bits(), second.bits()
    differing = " ".join(key for key in expected if found[key] != expected[key])
    weights = {key: x for key, x in expected.items() if key not in ("optimizer", "ema")}
    return differing, hashlib.sha256(repr(weights).encode()).hexdigest()


def try_pairs(pairs: Any, new_world: Callable[[], Any], folder: Path) -> dict[str, tuple[str, str]]:
    """Train with each pair; return the results of `trained`, or the error and an empty string."""
    results = {}
    for number, pair in enumerate(pairs):
        try:
            result = trained(pair, new_world, folder / str(number))
        except dezero.DezeroError as error:
            result = f"{type(error).__name__}: {error}", ""
        results[" + ".join(pair)] = result
    return results


def main(folder: Path) -> None:
    """Try the pairs with several ranks; rank 0 prints the results of all ranks as JSON."""
    from dezero_core.extend import get_communicator
    from dezero_parallel import World

    engine = get_communicator()
    assert engine is not None, "start this program with mpiexec"
    pairs = [pair for pair in combinations(FEATURES, 2) if set(pair) & set(RANKS)]
    found = engine.gather(try_pairs(pairs, lambda: World(engine, 60.0, watches=False), folder))
    if engine.rank == 0:
        print(json.dumps(found))
    engine.leave(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
