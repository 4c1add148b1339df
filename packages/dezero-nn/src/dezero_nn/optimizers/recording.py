"""Update parameters while a training step is recorded for replays (docs/gpu.md, "Capture")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dezero_core.extend import Array
from dezero_core.state import StepRecorder, recorder

from .settings import numbers_of

if TYPE_CHECKING:
    from .optimizer import Optimizer

State = dict[str, Any]


def record_update(
    optimizer: Optimizer,
    ps: list[Array],
    gs: list[Array],
    states: list[State],
) -> list[Array]:
    """Run ``update_op`` and keep the arrays of the states, which the replays read and write.

    Raises:
        CaptureError: the optimizer has no state yet, or its rule counts updates by itself.
    """
    recording = recorder.get()
    assert recording is not None
    before = [dict(state) for state in states]
    recording.on_failure(lambda: restore(states, before))
    guard_settings(recording, optimizer)
    arrays = optimizer._update_arrays(ps, gs, states)
    for state, old in zip(states, before, strict=True):
        keep_arrays(recording, optimizer, state, old)
    return arrays


def restore(states: list[State], before: list[State]) -> None:
    """Give each state the entries that it had before the update."""
    for state, old in zip(states, before, strict=True):
        state.clear()
        state.update(old)


def keep_arrays(recording: StepRecorder, optimizer: Optimizer, state: State, old: State) -> None:
    """Copy the new arrays of a state into its old arrays."""
    counted = {"t"} if optimizer.counts_updates and has_rates(type(optimizer)) else set()
    for name, x in state.items():
        if isinstance(x, int | float):
            if x != old.get(name) and name not in counted:
                recording.refuse(
                    f"{type(optimizer).__name__}, whose state {name!r} is a number that each "
                    "update changes,",
                    "update outside of the captured step, or define rates() in the optimizer",
                )
        elif name not in old:
            recording.refuse(
                f"the first update of a parameter by {type(optimizer).__name__}",
                "update every parameter in the first call",
            )
        elif x is not old[name]:
            old[name][...] = x
            state[name] = old[name]


def guard_settings(recording: StepRecorder, optimizer: Optimizer) -> None:
    """Record the step again if a setting changes that ``delta`` does not read by `step_rates`."""
    left_out = {optimizer.rate_name} if has_rates(type(optimizer)) else set()
    group = optimizer._active

    def settings() -> dict[str, Any]:
        found = {**numbers_of(optimizer), **(group.settings if group else {})}
        return {name: value for name, value in found.items() if name not in left_out}

    recording.guard(settings)


def has_rates(cls: type) -> bool:
    """Return whether the class that defines ``delta``, or a subclass, defines ``rates``."""
    definers = {
        name: next(c for c in cls.__mro__ if name in vars(c)) for name in ("delta", "rates")
    }
    return issubclass(definers["rates"], definers["delta"])
