"""Test that DeZero reads no values of arrays of lazy libraries, which may only trace a graph."""

import numpy as np
import pytest

import dezero_nn.functions as F
import dezero_nn.layers as L
from dezero_core import Variable
from dezero_core.errors import LabelError
from dezero_core.extend import get_backend
from dezero_core.functions import stack
from dezero_nn import optimizers
from dezero_nn.models import Sequential

X = np.arange(12, dtype="float32").reshape(3, 4)
OUT_OF_RANGE = np.array([0, 1, 9])


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make array-api-strict a lazy library whose values cannot be read."""
    library = get_backend("strict")
    monkeypatch.setattr(library, "capabilities", library.capabilities | {"lazy"})

    def read(x: object) -> None:
        raise ValueError("a traced array has no value")

    for name in ("__bool__", "__int__", "__float__", "__index__"):
        monkeypatch.setattr(type(library.from_numpy(X)), name, read)


CALLS = {
    "softmax_cross_entropy": lambda x, t: F.softmax_cross_entropy(x, t),
    "cross_entropy": lambda x, t: F.cross_entropy(x, t),
    "embed_id": lambda x, t: F.embed_id(t * 0, x),
    "one_hot": lambda x, t: F.one_hot(t, 4),
    "bernoulli": lambda x, t: F.bernoulli(x),
    "multinomial": lambda x, t: F.multinomial(-x, 2),
    "lengths of LSTM": lambda x, t: L.LSTM(4, in_size=4).to("strict")(stack([x, x]), lengths=t * 0),
}


@pytest.mark.parametrize("call", CALLS)
def test_ranges_are_not_checked_where_values_cannot_be_read(call: str, unread: None) -> None:
    move = get_backend("strict").from_numpy
    CALLS[call](Variable(move(X)), move(OUT_OF_RANGE))


def test_a_training_step_reads_no_value(unread: None) -> None:
    move = get_backend("strict").from_numpy
    layer = L.Linear(3, in_size=4).to("strict")
    loss = F.cross_entropy(layer(move(X)), move(np.array([0, 1, 2])))
    loss.backward()
    optimizers.Adam().setup(layer).update()


def test_a_training_step_settles_the_arrays_of_the_next_step(
    unread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, settled = get_backend("strict"), []
    monkeypatch.setattr(library, "settle", settled.extend)
    model = Sequential(L.Linear(3, in_size=4), L.BatchNorm(3)).to("strict")
    optimizer, ema = optimizers.Adam().setup(model), optimizers.EMA(model)
    F.cross_entropy(
        model(library.from_numpy(X)), library.from_numpy(np.array([0, 1, 2]))
    ).backward()
    optimizer.update()
    kept = [x.data for x in model.named_params().values()]
    kept += [x.grad.data for x in model.params() if x.grad is not None]
    kept += [x for state in optimizer.param_states.values() for x in state.values()]
    kept = {id(x) for x in kept if hasattr(x, "dtype")}
    assert {id(x) for x in settled} == kept
    ema.update()
    averages = {id(state["mean"]) for state in ema.param_states.values()}
    assert averages <= {id(x) for x in settled}


def test_a_library_that_is_not_lazy_checks_ranges() -> None:
    move = get_backend("strict").from_numpy
    with pytest.raises(LabelError, match="label 9 with 4 classes"):
        F.cross_entropy(Variable(move(X)), move(OUT_OF_RANGE))
