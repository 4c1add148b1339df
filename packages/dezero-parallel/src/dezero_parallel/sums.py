"""Add up Variables over the ranks, so that gradients flow through the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

from dezero_core import Function, Variable, as_variable
from dezero_core.errors import CommunicatorError
from dezero_core.extend import Array, backend_of
from dezero_core.variable import AnyArray

if TYPE_CHECKING:
    from .worlds import World


class AllSum(Function):
    """y = the sum of x over the ranks.

    The loss of a job is the sum of w L over the ranks, where L is the loss of one rank and w its
    share of the batch's rows. A rank's `backward` computes the gradients of L, which are multiplied
    by w later. So dL/dx = (sum over the ranks of w gy) / w, and 0 on a rank without rows.

    Args:
        world: the ranks.
    """

    def __init__(self, world: World) -> None:
        self.world, self.weight = world, world.weight

    def forward(self, x: Array) -> Array:
        self.world.collectives.sums_in_graphs.add(self)
        return sum_array(self.world, x)

    def backward(self, gy: AnyArray) -> Any:
        total = all_sum(self.world, gy * self.weight)
        return total * (1 / self.weight if self.weight else 0.0)


def all_sum(world: World, x: Any) -> Any:
    """Return the sum of ``x`` over the ranks: a Variable, or an array if ``x`` is an array."""
    return AllSum(world)(x) if isinstance(x, Variable) else sum_array(world, x)


def sum_array(world: World, x: Any) -> Any:
    """Return the sum of an array over the ranks, in a new array."""
    # A copy keeps the memory order of ``x``, which may differ between the ranks.
    flat: Any = backend_of(x).copy(x.reshape(-1))
    total = flat.reshape(x.shape)
    world.collectives.wait("world.all_sum", world.collectives.communicator.start(total))
    return total


class BatchSum:
    """Add up vectors over the ranks to which rows of the batch belong, for `BatchNorm.all_sum`.

    Copies of a model share the ranks; a pickle cannot contain them.
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, x: Variable) -> Variable:
        x = as_variable(x)
        return self.world.all_sum(x if self.world.weight else x * 0.0)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise CommunicatorError(
            "BatchNorm: a model after world.synchronize cannot be pickled, because it is connected "
            "to other processes; save its weights by save_weights, or pickle it before"
        )
