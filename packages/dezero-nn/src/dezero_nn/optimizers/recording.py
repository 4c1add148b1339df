"""Update parameters while a training step is recorded for replays (docs/gpu.md, "Capture")."""

from __future__ import annotations

from functools import partial
from operator import is_
from typing import TYPE_CHECKING, Any

from dezero_core import Parameter
from dezero_core.extend import Array, backend_of
from dezero_core.state import StepRecorder

from .settings import numbers_of

if TYPE_CHECKING:
    from .groups import Group
    from .optimizer import Optimizer

State = dict[str, Any]


class SameObjects:
    """Hold a list of objects; two instances are equal if they hold the same objects in order."""

    def __init__(self, objects: list[object]) -> None:
        self.objects = objects

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameObjects) and all(
            map(is_, self.objects, other.objects)
            if len(self.objects) == len(other.objects)
            else [0]
        )

    __hash__ = object.__hash__


def record_update(
    recording: StepRecorder,
    optimizer: Optimizer,
    params: list[Parameter],
    ps: list[Array],
    gs: list[Array],
    states: list[State],
) -> list[Array]:
    """Run ``update_op`` so that each state keeps its arrays, which the replays read and write.

    Raises:
        CaptureError: a parameter is updated for the first time, or the rule counts its updates in a
            way that a replay would not repeat.
    """
    if "accelerator" not in backend_of(ps[0]).capabilities:
        recording.refuse("an update of parameters on the host", "move the model by to_gpu()")
    before = [dict(state) for state in states]
    recording.on_failure(lambda: restore(states, before))
    recording.guard(partial(settings_of, optimizer, optimizer._active))
    arrays = optimizer._update_arrays(ps, gs, states)
    for state, old in zip(states, before, strict=True):
        keep_arrays(recording, optimizer, state, old)
    recording.guard(lambda: states_of(optimizer, params))
    return arrays


def restore(states: list[State], before: list[State]) -> None:
    """Give each state the entries that it had before the update."""
    for state, old in zip(states, before, strict=True):
        state.clear()
        state.update(old)


def states_of(optimizer: Optimizer, params: list[Parameter]) -> SameObjects:
    """Return the dictionaries of the states of parameters, and the arrays in them."""
    states = [optimizer.param_states.get(param, {}) for param in params]
    arrays = [x for state in states for x in state.values() if not isinstance(x, int | float)]
    return SameObjects([*states, *arrays])


def keep_arrays(recording: StepRecorder, optimizer: Optimizer, state: State, old: State) -> None:
    """Copy the new arrays of a state into its old arrays."""
    name_of_rule = type(optimizer).__name__
    has_counts = optimizer.counts_updates and has_rates(type(optimizer))
    counted = optimizer.counted if has_counts else ()
    for name, x in state.items():
        if isinstance(x, int | float):
            if x != old.get(name) and name not in counted:
                recording.refuse(
                    f"{name_of_rule}.update, which changes the number {name!r} of its state,",
                    "call it after the captured step, or define rates() in the optimizer",
                )
        elif name not in old:
            recording.refuse(
                f"the first update of a parameter by {name_of_rule}",
                "update every parameter in the first calls of the step",
            )
        elif x is not old[name]:
            old[name][...] = x
            state[name] = old[name]


def settings_of(optimizer: Optimizer, group: Group | None) -> dict[str, Any]:
    """Return the settings that ``delta`` reads, except those in `Optimizer.step_rates`."""
    left_out = {optimizer.rate_name} if has_rates(type(optimizer)) else set()
    found = {**numbers_of(optimizer), **(group.settings if group else {})}
    hooks = [
        (hook, numbers_of(hook) if hasattr(hook, "__dict__") else {})
        for hook in (*optimizer.first_hooks, None, *optimizer.hooks)
    ]
    return {"hooks": hooks} | {name: x for name, x in found.items() if name not in left_out}


def has_rates(cls: type) -> bool:
    """Return whether the class that defines ``delta``, or a subclass, defines ``rates``."""
    definers = {
        name: next(c for c in cls.__mro__ if name in vars(c)) for name in ("delta", "rates")
    }
    return issubclass(definers["rates"], definers["delta"])
