"""All parameters updated together: their elements side by side in one array.

An optimizer's rule takes a dozen launches, and that for each parameter. It is elementwise, so
it may as well run once, on everything:

      parameters, gradients, states  ->  joined  ->  delta, once  ->  split: views, no launch
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy


def update(ps: list[Any], gs: list[Any], states: list[dict[str, Any]], delta: Any) -> list[Any]:
    """Every parameter with what ``delta`` adds to it, written in place."""
    for group in of_one_age(states):
        change_together([ps[i] for i in group], [gs[i] for i in group],
                        [states[i] for i in group], delta)  # fmt: skip
    return ps


def of_one_age(states: list[dict[str, Any]]) -> list[list[int]]:
    """Which parameters have states of the same numbers, such as how many steps they took."""
    groups: dict[Any, list[int]] = {}
    for i, state in enumerate(states):
        age = tuple((name, None if is_array(x) else x) for name, x in sorted(state.items()))
        groups.setdefault(age, []).append(i)
    return list(groups.values())


def change_together(ps: list[Any], gs: list[Any], states: list[dict[str, Any]], delta: Any) -> None:
    """Apply the rule once to all parameters of a group."""
    if not states[0]:  # such as SGD's: per parameter it takes two launches and copies nothing
        for p, g, own in zip(ps, gs, states, strict=True):
            p += delta(p, g, own)
        return
    state = {
        name: joined([s[name] for s in states]) if is_array(x) else x
        for name, x in states[0].items()
    }
    change = delta(joined(ps), joined(gs), state)
    stop = 0
    for p, own in zip(ps, states, strict=True):
        start, stop = stop, stop + p.size
        p += change[start:stop].reshape(p.shape)
        for name, x in state.items():
            own[name] = x[start:stop].reshape(p.shape) if is_array(x) else x


def joined(arrays: Sequence[Any]) -> Any:
    """All elements in one axis."""
    return cupy.concatenate([x.reshape(-1) for x in arrays])


def is_array(x: Any) -> bool:
    """Whether a part of a state is an array, and not a number."""
    return isinstance(x, cupy.ndarray)
