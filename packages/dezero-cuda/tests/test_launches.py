"""Test how many launches the stand-in for CuPy counts, and the launches of training steps."""

from collections import Counter
from typing import Any

import cupy
import numpy as np
import pytest

from dezero_core.extend import get_backend
from dezero_cuda.kernels import sums

COUNTS = {
    # each ufunc, reduction, copy and fill is one launch
    "x + x": 1,
    "x * 2.0 + 1.0": 2,
    "+x": 1,
    "xp.exp(x)": 1,
    "xp.where(x > 0, x, x)": 2,
    "x.sum(axis=0)": 1,
    "xp.mean(x)": 1,
    "x @ x": 1,
    "x.copy()": 1,
    "xp.array(x)": 1,
    "xp.zeros((2, 2))": 1,
    "xp.full((), 0.5)": 1,
    "xp.ones_like(x)": 1,
    "xp.arange(3)": 1,
    "xp.empty((2, 2))": 0,
    "xp.empty_like(x)": 0,
    # functions that copy only if necessary
    "x.astype('float32')": 1,
    "x.astype('float32', copy=False)": 0,
    "x.astype('float64', copy=False)": 1,
    "xp.asarray(x, dtype='float32')": 0,
    "xp.ascontiguousarray(x)": 0,
    "xp.ascontiguousarray(x.T)": 1,
    "x.reshape(4)": 0,
    "x.T.reshape(4)": 1,
    "x.ravel()": 0,
    "x.T.ravel()": 1,
    # views
    "x.T": 0,
    "x[0]": 0,
    "x[:, None]": 0,
    "xp.broadcast_to(x, (3, 2, 2))": 0,
    "xp.permute_dims(x, (1, 0))": 0,
    # indices
    "x[ids]": 1,
    "xp.take(x, ids, axis=0)": 1,
    "x.__setitem__(0, 1.0)": 1,
    "x.__setitem__(0, x[0])": 0,
    "x.__setitem__(0, x[1])": 1,
    "xp.add.at(x, ids, x)": 1,
    # one copy for each array, up to eight arrays
    "xp.concatenate([x, x, x])": 3,
    "xp.stack([x, x])": 2,
    "xp.concatenate([x] * 9)": 1,
}
"""A dictionary from expressions to the number of launches that a profiler shows."""


@pytest.mark.parametrize("expression", COUNTS)
def test_the_stand_in_counts_what_a_profiler_shows(expression: str) -> None:
    x = cupy.asarray(np.ones((2, 2), "float32"))
    names = {"xp": cupy, "x": x, "ids": cupy.asarray(np.array([1, 0]))}
    cupy._counts.clear()
    eval(expression, names)
    assert cupy._counts["launches"] == COUNTS[expression]
    assert cupy._counts["from_host"] == ("* 9" in expression)  # the pointers of the arrays


BUDGETS = {
    "MLP SGD": 16,
    "MLP Adam": 16,
    "MLP AdamW": 16,
    "CNN SGD": 38,
    "CNN Adam": 38,
    "LSTM SGD": 78,
    "GPT AdamW": 106,
}
"""The maximum number of launches of each training step; lower it when a step launches fewer."""


def models(nn: Any) -> dict[str, tuple[Any, np.ndarray]]:
    """Return pairs (a function that creates a model, its input), by name."""

    class Recurrent(nn.Model):
        """Classify sequences of three steps by the last state of an LSTM."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4), nn.Linear(3)

        def forward(self, x: Any) -> Any:
            self.lstm.reset_state()
            return self.head(self.lstm(x)[:, -1])

    class GPT(nn.Model):
        """Classify sequences of tokens by the last position of a transformer."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(5, 8), nn.Linear(3)
            self.block = nn.TransformerBlock(2, causal=True, dropout=0.1)

        def forward(self, x: Any) -> Any:
            return self.head(self.block(self.embedding(x))[:, -1])

    return {
        "MLP": (lambda: nn.MLP((8, 3), nn.relu), np.ones((6, 4), "float32")),
        "CNN": (lambda: nn.CNN(3, (2, 3), 4), np.ones((6, 1, 8, 8), "float32")),
        "LSTM": (Recurrent, np.ones((6, 3, 2), "float32")),
        "GPT": (GPT, np.ones((6, 4), "int64")),
    }


def step_counts(make: Any, optimizer: str, x: Any) -> Counter[str]:
    """Return the launches and copies of one training step, after two warm-up steps."""
    nn = pytest.importorskip("dezero_nn", reason="models are dezero-nn's")
    model = make().to("cuda")
    steps = getattr(nn, optimizer)().setup(model)
    t = get_backend("cuda").from_numpy(np.arange(len(x)) % 3)
    x = get_backend("cuda").from_numpy(x)

    def step() -> None:
        loss = nn.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        steps.update()

    for _ in range(2):
        step()
    cupy._counts.clear()
    step()
    return Counter(cupy._counts)


@pytest.mark.parametrize("name", BUDGETS)
def test_a_training_step_copies_nothing_and_stays_within_its_budget_of_launches(name: str) -> None:
    nn = pytest.importorskip("dezero_nn", reason="models are dezero-nn's")
    model, optimizer = name.split()
    make, x = models(nn)[model]
    counts = step_counts(make, optimizer, x)
    assert counts["to_host"] == counts["from_host"] == 0, counts
    assert counts["launches"] <= BUDGETS[name], f"{counts['launches']} launches"


def test_sums_of_many_rows_keep_to_the_limit_of_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "TERMS", 1)  # as if there were 256 times as many rows
    monkeypatch.setattr(sums, "MAX_PARTS", 4)
    monkeypatch.setattr(cupy.signatures, "MAX_GRID", (9, 4, 4))
    x = np.arange(600.0).reshape(300, 2)
    found = sums.sum_of_rows(cupy.asarray(x), 1, False)
    assert found.get().tolist() == x.sum(axis=0).tolist()
    image = np.arange(6000.0).reshape(30, 2, 10, 10)
    found = sums.channel_sum(cupy.asarray(image))
    assert found.get().tolist() == image.sum(axis=(0, 2, 3)).tolist()
