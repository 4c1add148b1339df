"""Check that nothing changes in a program that runs in one process."""

from inspect import signature

import numpy as np
import pytest

from dezero_core.errors import MissingPackage
from dezero_io import DataLoader
from dezero_nn.layers import Linear
from dezero_nn.optimizers import SGD
from dezero_parallel import Alone, World, world
from dezero_parallel.alone import require_no_launcher


def test_one_process_is_alone_and_keeps_its_loader_and_optimizer() -> None:
    ranks = world()
    assert isinstance(ranks, Alone)
    assert (ranks.rank, ranks.size) == (0, 1)
    loader = DataLoader(np.zeros((4, 2)), batch_size=2)
    optimizer = SGD().setup(Linear(2))
    assert ranks.share(loader) is loader
    assert ranks.parallel(optimizer) is optimizer


def test_one_process_adds_nothing_to_its_numbers() -> None:
    assert Alone().sum(3) == 3.0
    assert Alone().sum(1, 2).tolist() == [1.0, 2.0]
    assert Alone().mean(np.float32(0.5)) == 0.5


def test_ranks_that_no_engine_connects_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "3")
    with pytest.raises(MissingPackage, match=r"a launcher started 3 ranks.*dezero-mpi\[mpich\]"):
        require_no_launcher()
    monkeypatch.setenv("PMI_SIZE", "1")
    require_no_launcher()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(MissingPackage, match="a launcher started 4 ranks"):
        require_no_launcher()


@pytest.mark.parametrize(
    "name", ["share", "parallel", "sum", "mean", "all_sum", "synchronize", "save", "load"]
)
def test_one_process_takes_the_arguments_of_several_ranks(name: str) -> None:
    one, several = (signature(getattr(kind, name)).parameters for kind in (Alone, World))
    assert [(x.name, x.kind, x.default) for x in one.values()] == [
        (x.name, x.kind, x.default) for x in several.values()
    ]
