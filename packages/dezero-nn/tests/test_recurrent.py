"""Test recurrent layers with several layers, both directions, states and lengths.

`tests/reference/test_against_pytorch.py` compares their results with PyTorch's.
"""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, grad
from dezero_core.errors import ArgumentError, ArgumentTypeError, DezeroError, ShapeError
from dezero_core.extend import kernel_log
from dezero_core.functions import concat, sum
from dezero_nn import GRU, LSTM, RNN, Linear, Sequential, gru
from dezero_nn.models.summary import summary

STEPS = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
CELLS = [RNN, LSTM, GRU]


def states_of(layer: Any) -> tuple[Any, ...]:
    return layer.state if isinstance(layer, LSTM) else (layer.state,)


@pytest.mark.parametrize("cell", CELLS)
def test_a_stack_equals_single_layers(cell: Any) -> None:
    both = cell(5, num_layers=2)
    y = both(STEPS)
    first, second = cell(5), cell(5)
    single = Sequential(first, second)
    single(STEPS)
    for layer, source in ((first, both), (second, both.cells["l1"])):
        for key in layer.named_params():
            layer.named_params()[key].data = source.named_params()[key].data
        layer.reset_state()
    assert np.array_equal(single(STEPS).data, y.data)
    for part, name in zip(states_of(both), first.STATES, strict=True):
        assert part.shape == (2, 3, 5)
        assert np.array_equal(part.data[1], getattr(second, name).data)
    assert list(both.named_params())[-1].startswith("cells/l1/h2")
    assert next(both.cells["l1"].params()).shape == (5, 5), "known without an input"


@pytest.mark.parametrize("cell", CELLS)
def test_the_backward_direction_reads_from_the_end(cell: Any) -> None:
    layer = cell(5, bidirectional=True, in_size=2)
    y = layer(STEPS)
    assert y.shape == (4, 3, 10)
    layer.cells["l0_reverse"].reset_state()
    backward = layer.cells["l0_reverse"](STEPS[::-1].copy()).data[::-1]
    np.testing.assert_allclose(y.data[..., 5:], backward, rtol=1e-6)
    np.testing.assert_allclose(states_of(layer)[0].data[1], y.data[0, :, 5:], rtol=1e-6)
    assert np.array_equal(layer(STEPS).data, y.data), "each call begins with zeros"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("settings", [{}, {"num_layers": 2}, {"bidirectional": True}])
@pytest.mark.parametrize("has_state", [False, True])
def test_padding_equals_sequences_one_by_one(cell: Any, settings: Any, has_state: bool) -> None:
    """Compare outputs, states and gradients; the padding has values that may not be read."""
    layer, lengths = cell(5, in_size=2, **settings), [2, 4, 1]
    x, rows = STEPS.astype("float64"), len(layer.all_cells())
    for n, length in enumerate(lengths):
        x[length:, n] = (np.nan, np.inf, 7.0)[n]
    for p in layer.params():
        p.data = np.random.default_rng(p.size).normal(size=p.shape)
    shape = (len(layer.STATES), rows, 3, 5)
    before = Variable(np.random.default_rng(1).normal(size=shape) * has_state)

    def run(x: Any, lengths: Any, n: slice) -> Any:
        state = tuple(before[:, :, n]) if cell is LSTM else before[0, :, n]
        y = layer(x, state, lengths=lengths)
        return y, concat([part.reshape(-1, 5) for part in states_of(layer)])

    padded = Variable(x)
    y, last = run(padded, lengths, slice(None))
    gradients = [g.data for g in grad(sum(y * y) + sum(last**3), [padded, *layer.params()])]
    last = last.data.reshape(-1, 3, 5)
    expected = [0.0] * len(gradients)
    for n, length in enumerate(lengths):
        one = Variable(x[:length, n : n + 1])
        z, end = run(one, None, slice(n, n + 1))
        np.testing.assert_allclose(y.data[:length, n], z.data[:, 0], rtol=1e-9, atol=1e-12)
        assert not y.data[length:, n].any()
        np.testing.assert_allclose(last[:, n], end.data, rtol=1e-9, atol=1e-12)
        found = grad(sum(z * z) + sum(end**3), [one, *layer.params()])
        np.testing.assert_allclose(gradients[0][:length, n], found[0].data[:, 0], rtol=1e-8)
        assert not gradients[0][length:, n].any()
        expected[1:] = [a + b.data for a, b in zip(expected[1:], found[1:], strict=True)]
    for got, wanted in zip(gradients[1:], expected[1:], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("cell", CELLS)
def test_a_replaced_gate_also_takes_lengths(cell: Any) -> None:
    layer, lengths = cell(5, in_size=2), [2, 4, 1]
    y, before = layer(STEPS, lengths=lengths).data, [part.data for part in states_of(layer)]
    name = {RNN: "x2h", LSTM: "x2f", GRU: "h2n"}[cell]
    setattr(layer, name, Sequential(getattr(layer, name)))
    layer.reset_state()
    np.testing.assert_allclose(layer(STEPS, lengths=lengths).data, y, rtol=1e-5, atol=1e-7)
    for part, old in zip(states_of(layer), before, strict=True):
        np.testing.assert_allclose(part.data, old, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_the_hook_of_a_gate_is_called(cell: Any) -> None:
    layer, seen = cell(5, in_size=2), []
    gate = layer.h2i if cell is LSTM else layer.h2n
    layer(STEPS)
    with gate.register_hook(lambda gate, inputs, output: seen.append(output)):
        y = layer(STEPS)
    assert len(seen) == 4, "at each step"
    with kernel_log() as ran:
        assert layer(STEPS).shape == y.shape
    assert len(seen) == 4 and {"lstm", "gru"} & {run.op for run in ran}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [None, [2, 4, 1]])
def test_a_subclass_with_its_own_step_runs_that_step(cell: Any, lengths: Any) -> None:
    class Counter(cell):  # type: ignore[misc]
        def step(self, x: Any) -> Any:
            self.h = x * 0 + (1.0 if self.h is None else self.h + 1.0)
            self.c = self.h
            return self.h

    layer = Counter(2)
    y = layer(STEPS, lengths=lengths)
    assert y.data[:, 1, 0].tolist() == [1, 2, 3, 4]
    assert layer.h.data[0, 0] == (4 if lengths is None else 2)


@pytest.mark.parametrize("cell", CELLS)
def test_a_state_can_be_passed_on(cell: Any) -> None:
    layer, other = cell(5, num_layers=2, in_size=2), cell(5, num_layers=2, in_size=2)
    layer(STEPS)
    y = other(STEPS, layer.state)
    other.state = layer.state
    assert np.array_equal(other(STEPS).data, y.data)
    sum(y).backward()
    assert all(p.grad is not None for p in layer.params()), "the state has its graph"
    other.state = None
    assert other.state is None and other.cells["l1"].h is None
    single = cell(5, in_size=2)
    rows = np.ones((3, 5), "float32")
    h = (rows, rows) if cell is LSTM else rows
    whole = tuple(part[None] for part in h) if cell is LSTM else rows[None]
    assert np.array_equal(single(STEPS, h).data, single(STEPS, whole).data)
    halves = cell(5, in_size=2)(STEPS, h), single(STEPS[:1], h), single(STEPS[1:])
    assert halves[0].shape == concat(halves[1:]).shape


@pytest.mark.parametrize("cell", CELLS)
def test_steps_of_a_stack_equal_its_sequence(cell: Any) -> None:
    layer = cell(5, num_layers=3)
    y = layer(STEPS)
    layer.reset_state()
    for t in range(4):
        np.testing.assert_allclose(layer(STEPS[t]).data, y.data[t], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [None, [2, 4, 1]])
def test_batches_first(cell: Any, lengths: Any) -> None:
    layer = cell(5, in_size=2, num_layers=2, batch_first=True)
    y = layer(STEPS.transpose(1, 0, 2), lengths=lengths)
    found = [part.data for part in states_of(layer)]
    layer.batch_first = False
    layer.reset_state()
    assert np.array_equal(layer(STEPS, lengths=lengths).data.transpose(1, 0, 2), y.data)
    for part, before in zip(states_of(layer), found, strict=True):
        assert np.array_equal(part.data, before)
    layer.batch_first = True
    assert layer(STEPS[0]).shape == (3, 5), "one step has no axis of steps"
    with pytest.raises(ShapeError, match=r"or \(N, T, in\), T steps; the state is of 3 rows"):
        layer(STEPS)


def test_an_elman_network_with_relu() -> None:
    layer = RNN(5, in_size=2, nonlinearity="relu", num_layers=2)
    h, (x2h, h2h) = np.zeros((3, 5)), (layer.x2h, layer.h2h)
    for x in STEPS:
        h = np.maximum(x @ x2h.W.data + h @ h2h.W.data, 0)
    layer(STEPS)
    np.testing.assert_allclose(layer.h.data, h, rtol=1e-5, atol=1e-6)
    assert layer.cells["l1"].nonlinearity == "relu"


def test_dropout_is_between_layers_and_only_in_training() -> None:
    layer = GRU(200, num_layers=2, dropout=0.5, bidirectional=True)
    y = layer.eval()(STEPS)
    assert np.array_equal(layer(STEPS).data, y.data)
    assert not np.array_equal(layer.train()(STEPS).data, y.data)
    single = GRU(200, dropout=0.5)
    first = single(STEPS).data
    single.reset_state()
    assert np.array_equal(single(STEPS).data, first), "one layer drops nothing"


@pytest.mark.parametrize(
    "make", [list, tuple, lambda n: np.array(n, "uint64"), lambda n: Variable(np.array(n, "i1"))]
)
def test_lengths_may_be_a_list_or_an_array(make: Any) -> None:
    layer = LSTM(5, in_size=2)
    y = layer(STEPS, lengths=make([2, 4, 1]))
    assert not y.data[2:, 0].any() and y.data[1, 0].all()
    assert layer(STEPS.astype("float16"), lengths=make([2, 4, 1])).shape == (4, 3, 5)
    assert LSTM(5)(STEPS[:, :0], lengths=np.zeros(0, int)).shape == (4, 0, 5)


def test_a_sequence_runs_in_one_op() -> None:
    with kernel_log() as ran:
        sum(GRU(3, num_layers=2)(STEPS, lengths=[1, 2, 3])).backward()
    assert [run.op for run in ran if run.op.startswith("gru")] == ["gru"] * 2 + ["gru_grad"] * 2


def test_copies_start_without_a_state_and_summaries_restore_it() -> None:
    layer = LSTM(5, num_layers=2, bidirectional=True)
    layer(STEPS)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.state is None
        assert np.array_equal(twin(STEPS).data, layer(STEPS).data)
    before = layer.cells["l1"].h
    table = summary(layer, STEPS)
    assert layer.cells["l1"].h is before and "cells/l1_reverse" in table
    assert "num_layers=2, bidirectional=True" in repr(layer)


WRONG: list[tuple[Any, type[DezeroError], str]] = [
    (lambda: GRU(0), ArgumentError, "GRU: hidden_size 0"),
    (lambda: RNN(-1), ArgumentError, "RNN: hidden_size -1"),
    (lambda: LSTM(3, num_layers=0), ArgumentError, "LSTM: num_layers 0"),
    (lambda: LSTM(3, num_layers=1.5), ArgumentTypeError, "LSTM: num_layers 1.5"),
    (lambda: LSTM(3, bidirectional=2), ArgumentError, "bidirectional 2 .*: expected True or False"),
    (lambda: GRU(3, batch_first="yes"), ArgumentError, "batch_first .*: expected True or False"),
    (lambda: RNN(3, nonlinearity="sin"), ArgumentError, "RNN: nonlinearity 'sin'; expected"),
    (lambda: GRU(3, dropout=1.0), ArgumentError, r"GRU: dropout 1.0 is not in \[0, 1\)"),
    (
        lambda: GRU(3)(STEPS, lengths=[1, 5, 2]),
        ArgumentError,
        r"GRU: lengths has 5; expected integers from 1 to 4, the number of steps of x \(4, 3, 2\)",
    ),
    (lambda: GRU(3)(STEPS, lengths=2), ShapeError, r"GRU: lengths \(\); expected \(3,\)"),
    (lambda: GRU(3)(STEPS, lengths=[1, 0, 2]), ArgumentError, "GRU: lengths has 0; expected int"),
    (lambda: GRU(3)(STEPS, lengths=[1, 2]), ShapeError, r"lengths \(2,\); expected \(3,\)"),
    (lambda: GRU(3)(STEPS, lengths=[1.0, 2, 3]), ArgumentTypeError, "of float64; expected integ"),
    (lambda: GRU(3)(STEPS, lengths=[True] * 3), ArgumentTypeError, "of bool; expected integers"),
    (
        lambda: GRU(3)(STEPS[0], lengths=[1, 1, 1]),
        ShapeError,
        r"x \(3, 2\): expected \(T, N, in\), T steps; one step has no backward direction and no l",
    ),
    (lambda: GRU(3)(STEPS[:0]), ShapeError, r"GRU: x \(0, 3, 2\): .*; T must be at least 1"),
    (lambda: GRU(3, bidirectional=True)(STEPS[0]), ShapeError, r"expected \(T, N, in\), T steps;"),
    (
        lambda: GRU(3, num_layers=2)(STEPS, np.zeros((1, 3, 3))),
        ShapeError,
        r"GRU: state \(1, 3, 3\); expected \(2, N, 3\), where the first length is the number of",
    ),
    (lambda: GRU(3)(STEPS, np.zeros((3, 4))), ShapeError, r"state \(1, 3, 4\); expected \(1, N, 3"),
    (lambda: GRU(3)(STEPS, np.zeros((2, 3))), ShapeError, "the state is of 2 rows"),
    (
        lambda: LSTM(3)(STEPS, np.zeros((3, 3))),
        ShapeError,
        r"LSTM: state \(1, 3, 3\); expected a pair \(h, c\), each \(1, N, 3\)",
    ),
    (
        lambda: LSTM(3)(STEPS, (np.zeros((3, 3)), np.zeros((2, 3)))),
        ShapeError,
        r"state \(1, 3, 3\), \(1, 2, 3\); expected a pair",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), WRONG, ids=lambda v: str(v)[:20])
def test_wrong_arguments(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_a_wrong_state_leaves_the_old_state() -> None:
    layer = LSTM(5)
    layer(STEPS)
    before = layer.h, layer.c
    for wrong in (np.zeros((1, 3, 5)), (np.zeros((2, 5)),) * 2):
        with pytest.raises(ShapeError):
            layer(STEPS, wrong)
        assert (layer.h, layer.c) == before


def test_the_op_gru_checks_shapes() -> None:
    with pytest.raises(ShapeError, match=r"gru: x \(4, 3, 2\), Wx \(9, 2\), Wh \(9, 3\).*expected"):
        gru(STEPS, *[np.ones(s, "f") for s in ((9, 2), (9, 3), (9,), (8,), (3, 3))])
    assert Linear(2, in_size=3)(GRU(3)(STEPS)).shape == (4, 3, 2)


@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_without_biases_equals_one_with_biases_of_zero(cell: Any, settings: Any) -> None:
    plain, biased = cell(3, in_size=2, nobias=True, **settings), cell(3, in_size=2, **settings)
    y = plain(STEPS)
    arrays, targets = plain.named_params(), biased.named_params()
    assert set(arrays) == {key for key in targets if not key.endswith("/b")}
    for key, x in targets.items():
        x.data = arrays[key].data if key in arrays else np.zeros_like(x.data)
    np.testing.assert_allclose(y.data, biased(STEPS).data, rtol=1e-6, atol=1e-7)
    assert plain.pytorch_arrays().keys() <= arrays.keys()
    assert copy.deepcopy(plain)(STEPS).shape == y.shape


@pytest.mark.parametrize("cell", CELLS)
def test_dtype_sets_the_dtype_of_all_parameters(cell: Any) -> None:
    layer = cell(3, in_size=2, num_layers=2, bidirectional=True, dtype="float64")
    assert {p.dtype.name for p in layer.params()} == {"float64"}
    assert layer(STEPS).dtype == "float64"
    assert {p.dtype.name for p in cell(3, in_size=2).params()} == {"float32"}
    with pytest.raises(ArgumentError, match=f"{cell.__name__}: dtype 'int64'; expected a floating"):
        cell(3, dtype="int64")
