"""Save the order and position of a pass over a loader, and restore them from a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from dezero_core.errors import WeightsError

from ..weights.random_state import set_state
from .epochs import Epoch

if TYPE_CHECKING:
    from .loaders import DataLoader  # loaders.py imports this module


def state_of(loader: DataLoader, epoch: Epoch | None) -> dict[str, Any]:
    """Return the state of a loader at the current position in an epoch, for a checkpoint."""
    own = loader.generator
    state: dict[str, Any] = {
        "iteration": 0,
        "index": None,
        "seed": [],
        "generator": None if own is None else dict(own.bit_generator.state),
        "size": loader.data_size,
        "batch_size": loader.batch_size,
        "passes": loader._passes.started,
    }
    if epoch is not None:
        state |= {"iteration": epoch.iteration, "index": epoch.index, "seed": list(epoch.seed)}
        state["batch_size"] = epoch.batch_size
    return state


def restore_generator(loader: DataLoader, state: dict[str, Any]) -> Epoch | None:
    """Set the state of the loader's generator; return the saved pass, or None without one.

    Raises:
        WeightsError: ``state`` does not fit the loader; see `DataLoader.load_state_dict`.
    """
    if not isinstance(state, dict) or any(x not in state for x in ("index", "iteration")):
        given = f"the keys {list(state)}" if isinstance(state, dict) else type(state).__name__
        raise WeightsError(f"the state of a loader: got {given}; expected that of state_dict()")
    order, iteration = state["index"], int(state["iteration"])
    size = int(state["size"]) if "size" in state else len(order)
    expected = loader._share.batch_size(loader.batch_size)
    batch_size = int(state.get("batch_size", expected))  # missing in old checkpoints
    if size != loader.data_size:
        raise WeightsError(
            f"the saved order has {size} examples, the dataset {loader.data_size}; expected the "
            "dataset of the checkpoint"
        )
    if iteration > 0 and batch_size != expected:
        raise WeightsError(
            f"the checkpoint is inside a pass with batch_size {batch_size}, the loader's "
            f"batch_size is {expected}; load it with {batch_size}, then change it"
        )
    if iteration < 0 or not (order is None or is_order_for(loader, order)):
        raise WeightsError("the order of the examples is damaged")
    if (state["generator"] is None) != (loader.generator is None):
        raise WeightsError(
            "only one of the saved loader and this loader has its own generator; create the loader "
            "with the same arguments as the saved one"
        )
    if loader.generator is not None:
        set_state(loader.generator.bit_generator, state["generator"])
    if order is None:
        return None
    seed = tuple(int(part) for part in state.get("seed", ()))  # missing in old checkpoints
    return Epoch(order, expected, loader.max_iter, iteration, seed)


def is_order_for(loader: DataLoader, order: ArrayLike) -> bool:
    """Return whether an array can be the order of a pass over the loader's dataset.

    Without a sampler, an order contains every index that the loader goes through exactly once.
    """
    order, size = np.asarray(order), loader.data_size
    if order.dtype.kind not in "iu":
        return False
    if loader.sampler is None:
        return np.array_equal(np.sort(order), loader._share.of_dataset(np.arange(size)))
    return bool(np.all((order >= 0) & (order < size)))
