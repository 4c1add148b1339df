"""Launch the kernels of ``updates.cu``, which update or clip many arrays in one launch each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cupy
import numpy as np

from .layouts import Array, as_dense, empty_like, in_order_of
from .module import BLOCK, function

Arrays = list[Array]
States = list[dict[str, Any]]
Rates = Callable[[States, Array], tuple[Any, ...]]

TENSORS, LISTS, CHUNK = 88, 4, 4096
"""The constants of ``updates.cu``: the maximum number of arrays per launch, the maximum number of
lists of arrays, and the number of elements that a block computes."""

TABLE = np.dtype(
    [("arrays", "u8", (LISTS, TENSORS)), ("sizes", "i8", (TENSORS,)),
     ("first", "i4", (TENSORS + 1,)), ("count", "i4")]
)  # fmt: skip
"""The struct ``Tensors`` of ``updates.cu``."""

NUMBER = np.dtype([("pointer", "u8"), ("value", "f8")])
"""The struct ``Number`` of ``updates.cu``."""


def tensor_structs(lists: Sequence[Arrays]) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the struct of at most `TENSORS` arrays, and its number of chunks.

    Args:
        lists: lists of arrays; the k-th arrays of all lists have the same size and memory order.
    """
    for start in range(0, len(lists[0]), TENSORS):
        table, part = np.zeros(1, TABLE), slice(start, start + TENSORS)
        sizes = [x.size for x in lists[0][part]]
        for number, arrays in enumerate(lists):
            table["arrays"][0, number, : len(sizes)] = [x.data.ptr for x in arrays[part]]
        chunks = np.cumsum([-(-size // CHUNK) for size in sizes])
        table["sizes"][0, : len(sizes)] = sizes
        table["first"][0, 1 : len(sizes) + 1] = chunks
        table["count"] = len(sizes)
        if chunks[-1]:
            yield table, int(chunks[-1])


def launch_updates(name: str, lists: Sequence[Arrays], *arguments: Any) -> None:
    """Run a kernel on all arrays; ``lists`` has the form that `tensor_structs` describes."""
    letter = lists[0][0].dtype.char
    for table, chunks in tensor_structs(lists):
        function(name, letter)((chunks,), BLOCK, (table, *arguments))


def number(value: Any, dtype: Any) -> np.ndarray:
    """Return the struct of a number, or of a 0-d array that the kernel will read."""
    if isinstance(value, cupy.ndarray):
        value = value if value.dtype == dtype else value.astype(dtype)
        return np.array([(value.data.ptr, 0.0)], NUMBER)
    return np.array([(0, value)], NUMBER)


def state_arrays(name: str, states: States, ps: Arrays) -> Arrays:
    """Return array ``name`` of each state in the order of its parameter; create missing arrays."""
    for state, p in zip(states, ps, strict=True):
        state[name] = in_order_of(p, state[name]) if name in state else cupy.zeros_like(p)
    return [state[name] for state in states]


def gradients(ps: Arrays, gs: Arrays) -> Arrays:
    """Return the gradients in the memory order of their parameters."""
    return [in_order_of(p, g) for p, g in zip(ps, gs, strict=True)]


def sgd(
    ps: Arrays, gs: Arrays, states: States, delta: Any,
    rates: Rates, momentum: float, weight_decay: float, nesterov: bool,
) -> Arrays:  # fmt: skip
    """Update all parameters in place by the rule of SGD."""
    (lr,), kind = rates(states, ps[0]), ps[0].dtype.type
    rate, lists = number(lr, ps[0].dtype), [ps, gradients(ps, gs)]
    if momentum:
        lists.append(state_arrays("v", states, ps))
        numbers = kind(momentum), kind(weight_decay), np.int32(nesterov)
        launch_updates("sgd_momentum", lists, rate, *numbers)
    else:
        launch_updates("sgd", lists, rate, kind(weight_decay))
    return ps


def momentum_sgd(
    ps: Arrays, gs: Arrays, states: States, delta: Any,
    rates: Rates, momentum: float, nesterov: bool,
) -> Arrays:  # fmt: skip
    """Update all parameters in place by the rule of MomentumSGD."""
    (lr,) = rates(states, ps[0])
    lists = ps, gradients(ps, gs), state_arrays("v", states, ps)
    numbers = number(lr, ps[0].dtype), ps[0].dtype.type(momentum), np.int32(nesterov)
    launch_updates("momentum_sgd", lists, *numbers)
    return ps


def adam_update(
    ps: Arrays, gs: Arrays, states: States, delta: Any, rates: Rates, beta1: float, beta2: float
) -> Arrays:
    """Update all parameters in place by Adam or AdamW; group them by their counts of updates."""
    gs, counts = gradients(ps, gs), [state.get("t", 0) for state in states]
    for count in dict.fromkeys(counts):
        group = [k for k, t in enumerate(counts) if t == count]
        lists = [[x[k] for k in group] for x in (ps, gs)]
        group_states, like = [states[k] for k in group], lists[0][0]
        for name in ("m", "v"):
            lists.append(state_arrays(name, group_states, lists[0]))
        eps, rate, decay = (*rates(group_states, like), 0.0)[:3]
        numbers = [number(x, like.dtype) for x in (rate, eps, decay)]
        launch_updates("adam", lists, *numbers, np.float64(beta1), np.float64(beta2))
    return ps


def clip_norm(gs: Arrays, max_norm: float) -> tuple[Arrays, Array]:
    """Return the gradients, scaled if their norm is above ``max_norm``, and the norm."""
    gs = [as_dense(g) for g in gs]
    dtype, structs = gs[0].dtype, list(tensor_structs([gs]))
    parts = cupy.empty(sum(chunks for _, chunks in structs), dtype)
    stop = 0
    for table, chunks in structs:
        start, stop = stop, stop + chunks
        function("squares", dtype.char)((chunks,), BLOCK, (table, parts[start:stop]))
    norm, rate = cupy.empty((), dtype), cupy.empty((), dtype)
    arguments = parts, norm, rate, dtype.type(max_norm), np.int64(parts.size)
    function("clip_rate", dtype.char)((1,), BLOCK, arguments)
    clipped = [empty_like(g) for g in gs]
    launch_updates("scaled", [clipped, gs], rate)
    return clipped, norm
