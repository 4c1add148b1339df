"""Compute an LSTM with oneDNN: one call computes all time steps of a part of the batch.

      x (T, N, C)   [ first half of N ]  ->  this thread     T steps without the GIL
                    [ second half     ]  ->  a worker        T steps without the GIL

oneDNN saves intermediate results for the gradient in a workspace that only oneDNN can read, one row
of bytes for each part. So the gradient uses the same parts as the forward pass, even if the thread
count has changed. oneDNN and the layers use the axes (T, N, C), the op uses (T, C, N).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ctypes import c_int, c_uint
from functools import reduce
from operator import iadd
from typing import TypeVar

import numpy as np

from dezero_core.errors import ShapeError
from dezero_nn.parallel import count_parts, get_num_threads, parallel_for, split_range

from .layouts import ALIGNMENT, BYTES, aligned_bytes, contiguous, covers, open_layout
from .library import Handle, engine, one_thread
from .operation import (
    BIAS,
    DST,
    INTERNAL,
    SRC,
    TRAINING,
    WEIGHTS,
    WORKSPACE,
    ArraySpec,
    ForEachThread,
    Operation,
    c_order,
    describe,
)

R = TypeVar("R")
Arrays = tuple[np.ndarray, ...]

LEFT_TO_RIGHT, BACKWARD, DIFF = 1, 128, 128
"""oneDNN's enum values for the direction of the time steps and for computing all gradients, and the
offset from an argument's index to the index of its gradient."""


def supports_lstm(
    x: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, h: np.ndarray, c: np.ndarray
) -> bool:
    """Return whether all arrays are nonempty float32 arrays with matching shapes."""
    if not covers(x, Wx, Wh, b, h, c) or x.ndim != 3 or h.ndim != 2:
        return False
    (_, C, N), H = x.shape, h.shape[0]
    expected = (4 * H, C), (4 * H, H), (4 * H,), (H, N), (H, N)
    return (Wx.shape, Wh.shape, b.shape, h.shape, c.shape) == expected


def supports_lstm_grad(
    hs: np.ndarray, last: np.ndarray, workspace: np.ndarray, *arguments: object
) -> bool:
    """Return whether the workspace is from `onednn_lstm`, the only LSTM with a uint8 workspace."""
    return bool(workspace.dtype == BYTES)


def onednn_lstm(
    x: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, h: np.ndarray, c: np.ndarray
) -> Arrays:
    """Return h after every step, c after the last step, and the workspace."""
    (T, C, N), H, work = x.shape, h.shape[0], count_multiply_adds(x, h)
    parts = split_range(N, count_parts(N, work, get_num_threads()))
    states, weights = swap_axes(x, h, c), [*map(contiguous, (*swap_axes(Wx, Wh), b))]
    hs, last = np.empty((T, N, H), x.dtype), np.empty((N, H), x.dtype)
    size = workspace_size(forward(T, -(-N // len(parts)), C, H))
    row = size + -size % ALIGNMENT
    workspace = aligned_bytes(len(parts) * row).reshape(len(parts), row)

    def compute(part: slice, row: np.ndarray) -> None:
        x, h, c = part_of(states, part)
        operation = forward(T, len(h), C, H)
        after = np.empty((T, *h.shape), h.dtype), np.empty_like(h), last[part]
        with one_thread():
            operation((*after, row[: workspace_size(operation)]), x, h, c, *weights)
        hs[:, part] = after[0]

    for_parts(parts, workspace, work, compute)
    return hs.transpose(0, 2, 1), last.T, workspace


def onednn_lstm_grad(
    hs: np.ndarray, last: np.ndarray, workspace: np.ndarray, x: np.ndarray, Wx: np.ndarray,
    Wh: np.ndarray, b: np.ndarray, h: np.ndarray, c: np.ndarray, ghs: np.ndarray | None,
    gc: np.ndarray | None, needs_gx: bool,
) -> Arrays:  # fmt: skip
    """Return the gradients of the six inputs; oneDNN always computes the gradient of x."""
    (T, C, N), H = x.shape, h.shape[0]
    for name, g, y in (("ghs", ghs, hs), ("gc", gc, c)):
        if g is not None and g.shape != y.shape:
            raise ShapeError(f"lstm_grad: {name} has shape {g.shape}; expected {y.shape}")
    ghs, gc = np.zeros_like(hs) if ghs is None else ghs, np.zeros_like(h) if gc is None else gc
    states, weights = swap_axes(x, h, c), [*map(contiguous, (*swap_axes(Wx, Wh), b))]
    after, of_states = swap_axes(hs, last, ghs, gc), [np.empty(y.shape, y.dtype) for y in states]

    def compute(part: slice, row: np.ndarray) -> list[np.ndarray]:
        inputs, (hs, last, ghs, gc) = part_of(states, part), part_of(after, part)
        operation = backward(T, len(last), C, H)
        gradients = [np.empty_like(array) for array in (*inputs, *weights)]
        gh = np.zeros_like(last)  # ghs already holds the gradient of the last h
        with one_thread():
            outputs = row[: workspace_size(operation)], *gradients
            operation(outputs, *inputs, *weights, hs, hs[-1], last, ghs, gh, gc)
        for whole, found in zip(of_states, gradients[:3], strict=True):
            whole[..., part, :] = found
        return gradients[3:]

    work = 2 * count_multiply_adds(x, h)
    found = for_parts(split_range(N, len(workspace)), workspace, work, compute)
    gWx, gWh, gb = (reduce(iadd, gradients) for gradients in zip(*found, strict=True))
    gx, gWx, gWh, gh, gc = swap_axes(of_states[0], gWx, gWh, *of_states[1:])
    return gx, gWx, gWh, gb, gh, gc


def count_multiply_adds(x: np.ndarray, h: np.ndarray) -> int:
    """Return the multiply-adds of the forward pass."""
    (T, C, N), H = x.shape, h.shape[0]
    return int(T * N * 4 * H * (C + H))


def swap_axes(*arrays: np.ndarray) -> list[np.ndarray]:
    """Return views with the last two axes, batch and features, swapped."""
    return [array.swapaxes(-1, -2) for array in arrays]


def part_of(arrays: list[np.ndarray], part: slice) -> list[np.ndarray]:
    """Return the sequences in the slice ``part`` of each array, in C order."""
    return [contiguous(array[..., part, :]) for array in arrays]


def for_parts(
    parts: list[slice], workspace: np.ndarray, work: float,
    compute: Callable[[slice, np.ndarray], R],
) -> list[R]:  # fmt: skip
    """Call ``compute(part, row)`` for each part and its row of the workspace, in parallel."""

    def run(some: slice) -> Iterable[R]:
        return list(map(compute, parts[some], workspace[some]))

    return [result for results in parallel_for(len(parts), work, run) for result in results]


def workspace_size(operation: Operation) -> int:
    """Return the size of the workspace in bytes; no other output has an internal layout."""
    return next(it.slot.shape[0] for it in operation.outputs if it.is_internal)


# Below: the operations for T time steps of N sequences, with C input and H state features


def inputs_of(T: int, N: int, C: int, H: int) -> dict[int, ArraySpec]:
    """Return the specifications of x, h, c, Wx (C, 4 H), Wh (H, 4 H) and b (4 H,)."""
    state = c_order((N, H), (1, 1, N, H))
    Wx, Wh = (c_order((size, 4 * H), (1, 1, size, 4, H)) for size in (C, H))
    b = c_order((4 * H,), (1, 1, 4, H))
    return {
        SRC: c_order((T, N, C)), SRC + 1: state, SRC + 2: state,
        WEIGHTS: Wx, WEIGHTS + 1: Wh, BIAS: b,
    }  # fmt: skip


def outputs_of(T: int, N: int, C: int, H: int) -> dict[int, ArraySpec]:
    """Return the specifications of h after every step, and of h and c after the last."""
    state = c_order((N, H), (1, 1, N, H))
    return {DST: c_order((T, N, H)), DST + 1: state, DST + 2: state}


def layouts(T: int, N: int, C: int, H: int) -> list[Handle | None]:
    """Return the layouts of all arguments in order; oneDNN chooses the layouts of the weights."""
    x, h, c, _, _, b = [spec.layout for spec in inputs_of(T, N, C, H).values()]
    Wx, Wh = (open_layout((1, 1, size, 4, H)) for size in (C, H))
    peephole = projection = None
    after = [spec.layout for spec in outputs_of(T, N, C, H).values()]
    return [x, h, c, Wx, Wh, peephole, projection, b, *after]


def forward_description(*sizes: int) -> Handle:
    """Return the forward descriptor, which the backward descriptor needs as a hint."""
    how = c_int(TRAINING), c_int(LEFT_TO_RIGHT)
    return describe("lstm_forward", engine(), *how, *layouts(*sizes), c_uint(0))


@ForEachThread
def forward(*sizes: int) -> Operation:
    """Compile the forward pass for T, N, C and H."""
    outputs = outputs_of(*sizes) | {WORKSPACE: INTERNAL}
    return Operation(forward_description(*sizes), inputs_of(*sizes), outputs)


@ForEachThread
def backward(*sizes: int) -> Operation:
    """Compile the backward pass for T, N, C and H; it adds weight gradients to its outputs."""
    inputs, after = inputs_of(*sizes), outputs_of(*sizes)
    how, both = (c_int(BACKWARD), c_int(LEFT_TO_RIGHT)), (*layouts(*sizes), *layouts(*sizes))
    hint = forward_description(*sizes)
    description = describe("lstm_backward", engine(), *how, *both, c_uint(0), hint)
    gradients = {
        DIFF + number: spec._replace(starts_at_zero=number >= WEIGHTS)
        for number, spec in inputs.items()
    }
    after |= {DIFF + number: spec for number, spec in after.items()}
    return Operation(description, inputs | after, {WORKSPACE: INTERNAL} | gradients)
