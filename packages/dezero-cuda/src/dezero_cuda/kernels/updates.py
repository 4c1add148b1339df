"""Update all parameters together, concatenated into one array.

The update rule of an optimizer launches about a dozen CUDA kernels for each parameter. The rule is
elementwise, so it can run once on the elements of all parameters:

      parameters, gradients, states  ->  concatenated  ->  one delta  ->  split into views
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cupy

from dezero_core.state import recorder

Arrays = list[cupy.ndarray]
States = list[dict[str, Any]]
Delta = Callable[..., cupy.ndarray]


def update(ps: Arrays, gs: Arrays, states: States, delta: Delta) -> Arrays:
    """Add ``delta(p, g, state)`` to each parameter in place, and return the parameters."""
    for group in group_by_numbers(states):
        update_together([ps[i] for i in group], [gs[i] for i in group],
                        [states[i] for i in group], delta)  # fmt: skip
    return ps


def group_by_numbers(states: States) -> list[list[int]]:
    """Group the indices of parameters whose states contain equal scalars, such as update counts."""
    groups: dict[Any, list[int]] = {}
    for i, state in enumerate(states):
        age = tuple((name, None if is_array(x) else x) for name, x in sorted(state.items()))
        groups.setdefault(age, []).append(i)
    return list(groups.values())


def update_together(ps: Arrays, gs: Arrays, states: States, delta: Delta) -> None:
    """Apply the update rule once to all parameters of a group."""
    # without states a parameter takes two launches and no copy; a recorded step writes in place
    if not states[0] or recorder.get() is not None:
        for p, g, own in zip(ps, gs, states, strict=True):
            p += delta(p, g, own)
        return
    state = {
        name: concatenate([s[name] for s in states]) if is_array(x) else x
        for name, x in states[0].items()
    }
    change = delta(concatenate(ps), concatenate(gs), state)
    stop = 0
    for p, own in zip(ps, states, strict=True):
        start, stop = stop, stop + p.size
        p += change[start:stop].reshape(p.shape)
        for name, x in state.items():
            own[name] = x[start:stop].reshape(p.shape) if is_array(x) else x


def concatenate(arrays: Sequence[cupy.ndarray]) -> cupy.ndarray:
    """Flatten all arrays, and join them into one."""
    return cupy.concatenate([x.reshape(-1) for x in arrays])


def is_array(x: Any) -> bool:
    """Return whether an entry of an optimizer's state is an array, not a number."""
    return isinstance(x, cupy.ndarray)
