"""Test the model GPT: its scores, its limits, and the sequences it generates."""

import math

import numpy as np
import pytest

from dezero_core import no_grad, test_mode
from dezero_core.errors import ArgumentError, ArgumentTypeError, LabelError, ShapeError
from dezero_core.extend import get_backend
from dezero_nn import GPT, KVCache, softmax_cross_entropy

IDS = np.random.default_rng(0).integers(0, 11, (2, 6))


def small(**settings) -> GPT:
    return GPT(11, 8, channels=12, heads=3, blocks=2, **settings)


def test_initial_scores_are_close_to_each_other() -> None:
    scores = small()(IDS)
    assert scores.shape == (2, 6, 11) and scores.dtype == np.float32
    loss = softmax_cross_entropy(scores.reshape(-1, 11), IDS.reshape(-1))
    assert float(loss) == pytest.approx(math.log(11), rel=0.05)


def test_a_position_sees_no_later_token() -> None:
    model, changed = small(), IDS.copy()
    changed[:, 4:] = 0
    assert np.allclose(model(IDS).data[:, :4], model(changed).data[:, :4], atol=1e-6)


def test_the_output_layer_shares_the_weights_of_the_tokens() -> None:
    model = small()
    model(IDS).sum().backward()
    assert "tokens/W" in model.named_params() and len(list(model.params())) == 2 + 2 * 12 + 2
    used = set(IDS.reshape(-1).tolist())
    unused = min(set(range(11)) - used)
    assert np.abs(model.tokens.W.grad.data[unused]).max() > 0, "by the output layer only"


def test_a_cache_changes_no_score() -> None:
    model = small().eval()
    with no_grad():
        cache = KVCache(8)
        parts = [model(IDS[:, :4], cache), model(IDS[:, 4:], cache)]
    assert np.allclose(np.concatenate([y.data for y in parts], axis=1), model(IDS).data, atol=1e-5)


def most_probable(model: GPT, ids: np.ndarray, count: int) -> np.ndarray:
    """Continue sequences by the most probable tokens; compute all positions for each token."""
    with no_grad(), test_mode():
        for _ in range(count):
            scores = model(ids[:, -model.length :])[:, -1].data
            ids = np.concatenate([ids, scores.argmax(-1)[:, np.newaxis]], axis=1)
    return ids


@pytest.mark.parametrize("temperature", [1e-6, 1e-300])
def test_generate_draws_the_most_probable_tokens_at_a_low_temperature(temperature: float) -> None:
    model = small(dropout=0.5).train()
    generated = model.generate(IDS, 2, temperature)
    assert np.array_equal(generated.data, most_probable(model.eval(), IDS, 2))


def test_generate_continues_after_all_positions_are_filled() -> None:
    model = small()
    generated = model.generate(IDS, 20).data
    assert generated.shape == (2, 26) and np.array_equal(generated[:, :6], IDS)
    assert 0 <= generated.min() and generated.max() < 11
    long = np.tile(IDS, 3)
    assert model.generate(long, 3).shape == (2, 21), "the last 8 positions are seen"
    assert model.generate(IDS, 0).shape == (2, 6)
    assert GPT(3, 1, 4, 2, 1).generate(np.zeros((1, 1), int), 4).shape == (1, 5), "one position"


def test_every_backend_generates(backend: str) -> None:
    model = small()
    expected = model.generate(IDS, 3, temperature=1e-6).data
    library = get_backend(backend)
    ids = model.to(backend).generate(library.from_numpy(IDS), 3, temperature=1e-6)
    assert np.array_equal(library.to_numpy(ids.data), expected)


def test_dropout_applies_in_training_only() -> None:
    model = small(dropout=0.5)
    assert not np.array_equal(model(IDS).data, model(IDS).data)
    model.eval()
    assert np.array_equal(model(IDS).data, model(IDS).data)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GPT(0, 8), ArgumentError, "GPT: vocab_size 0"),
        (lambda: GPT(11, 8.0), ArgumentTypeError, "GPT: length 8.0"),
        (lambda: GPT(11, 8, 10, 3), ArgumentError, "heads 3 and channels 10; expected"),
        (lambda: GPT(11, 8, dropout=1), ArgumentError, r"GPT: dropout 1 is not in \[0, 1\)"),
        (lambda: small()(IDS[0]), ShapeError, r"GPT: ids \(6,\); expected two axes"),
        (lambda: small()(np.tile(IDS, 2)), ArgumentError, "12 positions; expected at most 8"),
        (lambda: small()(IDS + 11), LabelError, "id 21 with 11 rows"),
        (lambda: small().generate(IDS, -1), ArgumentError, "count -1"),
        (lambda: small().generate(IDS, 1, 0), ArgumentError, "temperature 0; expected"),
        (lambda: small().generate(IDS[:, :0], 1), ShapeError, r"expected \(B, T\) with T >= 1"),
    ],
)
def test_errors_name_the_argument(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
