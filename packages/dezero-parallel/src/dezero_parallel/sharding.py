"""Split the state of an optimizer over the ranks (ZeRO, stage 1).

Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero_core import Parameter, get_array_module
from dezero_core.errors import ArgumentError
from dezero_core.extend import Array, backend_of, get_backend
from dezero_core.state import move, on_device_of, own_data, updating
from dezero_nn.identity import WeakIdentityDict
from dezero_nn.optimizers import Optimizer

if TYPE_CHECKING:
    from .worlds import World


class Sharding:
    """Let each rank update one part of every parameter, and store the state of that part only.

    Rank r updates the elements from ``N * r // size`` to ``N * (r + 1) // size`` of a parameter of
    N elements; then the ranks exchange the new elements. The hooks of the optimizer
    run before, on whole gradients, so that clipping uses the norm of all gradients.

    Args:
        world: the ranks.
        optimizer: an elementwise optimizer. Its methods for updates and states are replaced.

    Raises:
        ArgumentError: the optimizer's rule is not elementwise.
    """

    def __init__(self, world: World, optimizer: Optimizer) -> None:
        name = type(optimizer).__name__
        if not optimizer.elementwise or type(optimizer).update_one is not Optimizer.update_one:
            raise ArgumentError(
                f"world.parallel: shard=True, but each element of {name}'s update depends on other "
                "elements of the parameter; expected an elementwise optimizer; write shard=False"
            )
        self.world, self.optimizer = world, optimizer
        self.pieces: WeakIdentityDict[Parameter, Parameter] = WeakIdentityDict()
        self._update: Callable[[list[Parameter]], None] = optimizer.update_params
        self._settle: Callable[[list[Parameter]], None] = optimizer.settle
        self._state_dict, self._stage, self._load = (
            optimizer.state_dict,
            optimizer.stage_state,
            optimizer.load_state_dict,
        )
        vars(optimizer).update(
            update_params=self.update,
            settle=self.exchange,
            state_dict=self.state_dict,
            stage_state=self.stage_state,
            load_state_dict=self.load_state_dict,
        )
        self._split_state()

    @staticmethod
    def is_sharded(part: object) -> bool:
        """Return whether ``part`` is an optimizer with sharded state."""
        method = vars(part).get("state_dict") if hasattr(part, "__dict__") else None
        return isinstance(getattr(method, "__self__", None), Sharding)

    def part(self, count: int) -> slice:
        """Return the positions of this rank's elements of ``count`` elements."""
        rank, size = self.world.rank, self.world.size
        return slice(count * rank // size, count * (rank + 1) // size)

    def piece(self, param: Parameter) -> Parameter:
        """Return the Parameter that stands for this rank's elements of a parameter."""
        if param not in self.pieces:
            self.pieces[param] = Parameter(None, name=param.name)
        return self.pieces[param]

    def update(self, params: list[Parameter]) -> None:
        """Update this rank's elements of each parameter."""
        pieces = []
        for param in params:
            piece, part = self.piece(param), self.part(param.size)
            piece.data = param.data.reshape(-1)[part]
            assert param.grad is not None
            piece.grad = param.grad.data.reshape(-1)[part]
            if piece.size:
                pieces.append(piece)
        if pieces:
            self._update(pieces)

    def exchange(self, params: list[Parameter]) -> None:
        """Give all ranks the new elements of all parameters, after an update.

        The optimizer calls the method without its lock for updates, so other threads need not wait.
        """
        for group in groups_of(params):
            self._exchange(group)
        for param in params:
            self.piece(param).data = self.piece(param).grad = None
        self._settle(params)

    def _exchange(self, params: list[Parameter]) -> None:
        """Give all ranks the new elements of parameters of one dtype on one device.

        Each rank's elements are added to the zeros of the other ranks, which is exact.
        """
        first = params[0].data
        with on_device_of(first):
            size = sum(param.size for param in params)
            flat = get_array_module(first).zeros(size, dtype=first.dtype)
        start = 0
        for param in params:
            part = self.part(param.size)
            flat[start + part.start : start + part.stop] = self.piece(param).data
            start += param.size
        collectives, place = self.world.collectives, "optimizer.update, exchange of parameters"
        collectives.wait(place, collectives.communicator.start(flat))
        start = 0
        with updating():
            for param in params:
                new = flat[start : start + param.size].reshape(param.shape)
                own_data(param)[...] = new
                start += param.size

    # The state of the whole optimizer, as if it were not sharded

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the whole optimizer on rank 0, and only the settings elsewhere.

        All ranks call this method together.
        """
        collectives, optimizer = self.world.collectives, self.optimizer
        state = self._state_dict()
        for key, param in optimizer.target_params().items():
            mine = optimizer.param_states.get(self.piece(param), {})
            host = get_backend("numpy")
            values = {name: move(x, host) if is_array(x) else x for name, x in mine.items()}
            found = collectives.gather("optimizer.state_dict", values)
            if collectives.rank == 0 and any(found):
                state["parameters"][key] = joined(found, param.shape)
        return state

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check the state of a whole optimizer; return a function that loads this rank's part."""
        commit = self._stage(state)

        def commit_and_split() -> None:
            commit()
            self._split_state()

        return commit_and_split

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load this rank's part of the state of a whole optimizer."""
        self._load(state)
        self._split_state()

    def _split_state(self) -> None:
        """Replace the states of whole parameters by those of this rank's elements."""
        optimizer = self.optimizer
        with updating():
            for param in optimizer.target_params().values():
                whole = optimizer.param_states.pop(param, None)
                if whole is not None:
                    shape = tuple(param.shape)
                    optimizer.param_states[self.piece(param)] = {
                        name: self._own(x) if is_array(x) and tuple(x.shape) == shape else x
                        for name, x in whole.items()
                    }

    def _own(self, x: Array) -> Array:
        """Return a copy of this rank's elements of an array."""
        flat = get_array_module(x).reshape(x, (-1,))
        return backend_of(x).copy(flat[self.part(flat.shape[0])])


def groups_of(params: list[Parameter]) -> list[list[Parameter]]:
    """Split parameters into lists of one array type, dtype and device."""
    groups: dict[Any, list[Parameter]] = {}
    for param in params:
        device = str(backend_of(param.data).device(param.data))
        groups.setdefault((type(param.data), str(param.dtype), device), []).append(param)
    return list(groups.values())


def is_array(x: object) -> bool:
    """Return whether an entry of a state is an array, not a number."""
    return hasattr(x, "shape")


def joined(states: list[dict[str, Any]], shape: tuple[int, ...]) -> dict[str, Any]:
    """Join the states of the ranks' elements to the state of a parameter of shape ``shape``."""
    known = [state for state in states if state]
    whole = {}
    for name, first in known[0].items():
        if is_array(first) and first.ndim == 1:
            whole[name] = np.concatenate([state[name] for state in known]).reshape(shape)
        else:
            whole[name] = first
    return whole
