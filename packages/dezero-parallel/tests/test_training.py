"""Compare training on several ranks with training on one process."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dezero_core.extend import get_backend
from dezero_nn import Model
from dezero_nn.optimizers import Adam
from dezero_parallel import Alone

sys.path.insert(0, str(Path(__file__).parent))
from parallel_ranks import succeed
from programs import MLP, MODELS, OPTIMIZERS, distance, made, train


def compare(
    model: str, optimizer: str, size: int, steps: int, batch_size: int = 12, **settings: Any
) -> None:
    """Check that all ranks have the weights and losses of one process."""
    kind, new = MODELS[model], OPTIMIZERS[optimizer]
    alone, losses = train(Alone(), made(kind), new(), steps, batch_size)
    models = [made(kind, number) for number in range(size)]  # rank 0's weights count
    ranks = succeed(
        size, lambda world: train(world, models[world.rank], new(), steps, batch_size, **settings)
    )
    for found, _ in ranks:
        assert distance(found, ranks[0][0]) == 0
    assert distance(ranks[0][0], alone) < 1e-14
    assert max(abs(a - b) for a, b in zip(ranks[0][1], losses, strict=True)) < 1e-13


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_three_ranks_compute_what_one_process_computes(model: str, optimizer: str) -> None:
    compare(model, optimizer, 3, 8)  # the last batch of a loop has one row


@pytest.mark.parametrize("shard", [False, True])
def test_small_buckets_that_are_sent_during_backward_give_the_same_weights(shard: bool) -> None:
    compare("MLP", "Adam", 2, 4, bucket_bytes=100, overlap=True, shard=shard)


def test_ranks_train_on_the_stand_in_for_cupy() -> None:
    pytest.importorskip("dezero_cuda")

    def on_device(world: Any, model: Model, shard: bool = False) -> tuple[Any, Any]:
        return train(world, model.to_gpu(), Adam(), 2, shard=shard)

    alone, losses = train(Alone(), made(MLP), Adam(), 2)
    models = [made(MLP) for _ in range(4)]
    for shard in (False, True):
        for found, means in succeed(
            2,
            lambda world, s=shard: on_device(world, models[world.rank + 2 * s], s),  # type: ignore[misc]
        ):
            host = {key: get_backend("cuda").to_numpy(x) for key, x in found.items()}
            assert distance(host, alone) < 1e-15
            assert means == pytest.approx(losses, abs=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("batch_size", [12, 60])
@pytest.mark.parametrize("shard", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_table(model: str, optimizer: str, size: int, batch_size: int, shard: bool) -> None:
    compare(model, optimizer, size, 50, batch_size, shard=shard)
