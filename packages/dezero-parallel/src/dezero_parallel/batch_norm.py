"""Let batch normalisation use the rows of all ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dezero_core.state import children
from dezero_nn.layers import BatchNorm

from .sums import BatchSum

if TYPE_CHECKING:
    from .worlds import World


def synchronize(world: World, model: Any) -> None:
    """Let each batch normalisation of a model take mean and variance over the rows of all ranks."""
    for layer in batch_norms(model):
        layer.all_sum = BatchSum(world)


def batch_norms(node: Any) -> Iterator[BatchNorm]:
    """Yield the `BatchNorm` layers in a layer, list or dictionary."""
    if isinstance(node, BatchNorm):
        yield node
    for _, child in children(node):
        yield from batch_norms(child)
