"""An LSTM over a whole sequence by oneDNN: one call for all steps, for some of the sequences each.

      x (T, N, C)   [ first half of N ]  ->  this thread     T steps, without Python's lock
                    [ second half     ]  ->  a worker        T steps, without Python's lock

oneDNN leaves what its gradient needs in a workspace that only it can read: a row of bytes for
each part of the sequences. The gradient takes the same parts, however many threads there are by
then; it has room of its own in there, and finds the rest as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ctypes import c_int, c_uint
from itertools import chain
from typing import Any

import numpy as np

from dezero_core import Config
from dezero_core.errors import ShapeError
from dezero_nn.kernels.conv import added
from dezero_nn.parallel import count_parts, get_num_threads, parallel_for, split_range

from .library import Handle, engine, one_thread
from .operation import (
    ALIGNMENT,
    BIAS,
    BYTES,
    DIFF_BIAS,
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    INFERENCE,
    SRC,
    TRAINING,
    WEIGHTS,
    WORKSPACE,
    ForEachThread,
    Operand,
    Primitive,
    Slot,
    bytes_of,
    bytes_slot,
    contiguous,
    covers,
    described,
    layout,
    open_layout,
    room,
    wanted,
)  # fmt: skip

LEFT_TO_RIGHT, BACKWARD = 1, 128
"""oneDNN's words for the order of the steps, and for the gradients of everything."""

INPUTS = (SRC, SRC + 1, SRC + 2, WEIGHTS, WEIGHTS + 1, BIAS)  # x, h, c, Wx, Wh, b
OUTPUTS = (DST, DST + 1, DST + 2, WORKSPACE)  # hs, h and c after the last step
GIVEN = (DIFF_DST, DIFF_DST + 1, DIFF_DST + 2)
FOUND = (DIFF_SRC, DIFF_SRC + 1, DIFF_SRC + 2, DIFF_WEIGHTS, DIFF_WEIGHTS + 1, DIFF_BIAS)


def supports_lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> bool:
    """Return whether all arrays are float32, not empty, and have matching shapes."""
    if not covers(x, Wx, Wh, b, h, c) or x.ndim != 3 or h.ndim != 2:
        return False
    (_, C, N), H = x.shape, h.shape[0]
    expected = (4 * H, C), (4 * H, H), (4 * H,), (H, N), (H, N)
    return (Wx.shape, Wh.shape, b.shape, h.shape, c.shape) == expected


def supports_lstm_grad(hs: Any, last: Any, workspace: Any, *arguments: Any) -> bool:
    """Return whether the workspace is one that `onednn_lstm` returned."""
    return bool(workspace.dtype == BYTES)


def onednn_lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    """The state h after every step, c after the last, and a row of bytes for each part.

    Where no graph is recorded the rows are empty.
    """
    (T, C, N), H, kind = x.shape, h.shape[0], TRAINING if Config.enable_backprop else INFERENCE
    parts = split_range(N, count_parts(N, work(x, h), get_num_threads()))
    steps, (Wx, Wh, b) = turned(x, h, c), map(contiguous, (*turned(Wx, Wh), b))
    hs, last, most = np.empty((T, N, H), x.dtype), np.empty((N, H), x.dtype), -(-N // len(parts))
    row = forward(T, most, C, H, kind).workspace
    workspace = room(len(parts) * row).reshape(len(parts), row)

    def compute(part: slice, workspace: Any) -> None:
        some = some_of(steps, part)
        operation = forward(T, len(some[1]), C, H, kind)
        hs[:, part] = operation(*some, Wx, Wh, b, last[part], workspace)

    for_each_part(parts, workspace, work(x, h), compute)
    return hs.transpose(0, 2, 1), last.T, workspace


def onednn_lstm_grad(
    hs: Any, last: Any, workspace: Any, x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any,
    ghs: Any, gc: Any, needs_gx: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of the six inputs; that of x comes whether it needs one or not."""
    (T, C, N), H = x.shape, h.shape[0]
    for name, g, y in (("ghs", ghs, hs), ("gc", gc, c)):
        if g is not None and g.shape != y.shape:
            raise ShapeError(f"lstm_grad: {name} has shape {g.shape}; expected {y.shape}")
    ghs, gc = np.zeros_like(hs) if ghs is None else ghs, np.zeros_like(h) if gc is None else gc
    steps, (Wx, Wh, b) = turned(x, h, c), map(contiguous, (*turned(Wx, Wh), b))
    after = turned(hs, last, ghs, gc)
    gx, gh, gc = (np.empty(array.shape, array.dtype) for array in steps)

    def compute(part: slice, workspace: Any) -> Any:
        some = some_of(steps, part)
        operation = backward(T, len(some[1]), C, H)
        gx[:, part], gh[part], gc[part], *of_weights = operation(
            *some, Wx, Wh, b, workspace, *some_of(after, part)
        )
        return of_weights

    found = for_each_part(split_range(N, len(workspace)), workspace, 2 * work(x, h), compute)
    *of_weights, gb = map(added, zip(*found, strict=True))
    (gx, gWx, gWh, gh, gc) = turned(gx, *of_weights, gh, gc)
    return gx, gWx, gWh, gb, gh, gc


def work(x: Any, h: Any) -> int:
    """Multiplications of all steps."""
    (T, C, N), H = x.shape, h.shape[0]
    return int(T * N * 4 * H * (C + H))


def turned(*arrays: Any) -> list[Any]:
    """Their last two axes in the other order: oneDNN has the sequences before the elements of a
    step, and what filters take before what they give. So have the arrays that layers pass on.
    """
    return [array.swapaxes(-1, -2) for array in arrays]


def some_of(arrays: list[Any], part: slice) -> list[Any]:
    """A part of the sequences, in C order."""
    return [contiguous(array[..., part, :]) for array in arrays]


def for_each_part(
    parts: list[slice], workspace: Any, work: float, compute: Callable[[slice, Any], Any]
) -> Iterable[Any]:
    """``compute(part, its row of the workspace)`` for each part of the sequences, shared out."""

    def some(of_parts: slice) -> list[Any]:
        return [*map(compute, parts[of_parts], workspace[of_parts])]

    return chain(*parallel_for(len(parts), work, some))


# In the thread that calls them


class Forward:
    """All steps of N sequences at once.

    Args:
        T, N, C, H: steps, sequences, and elements of x and of h in a step.
        kind: `TRAINING` or `INFERENCE`; the latter needs no workspace.
    """

    def __init__(self, T: int, N: int, C: int, H: int, kind: int) -> None:
        description = forward_description(T, N, C, H, kind)
        self.states = (T, N, H)
        self.weights = weight_operands(description, WEIGHTS, C, H)
        outputs = OUTPUTS if kind == TRAINING else OUTPUTS[:-1]
        x, state, hs, b = (T, N, C), (N, H), (T, N, H), (4 * H,)
        shapes = x, state, state, *self.weights, b, hs, state, state, None
        self.primitive = with_all(description, (*INPUTS, *outputs), shapes, set(outputs))
        self.needed = bytes_of(wanted(description, WORKSPACE)) if kind == TRAINING else 0
        self.workspace = self.needed + -self.needed % ALIGNMENT

    def __call__(
        self, x: Any, h: Any, c: Any, Wx: Any, Wh: Any, b: Any, last: Any, workspace: Any
    ) -> Any:
        """The state h after every step; c after the last is written to ``last``."""
        hs, last_h = np.empty(self.states, x.dtype), np.empty_like(h)
        with one_thread():
            weights = [its.taken(W) for its, W in zip(self.weights, (Wx, Wh), strict=True)]
            rest = (workspace[: self.needed],) if self.workspace else ()
            after = hs, last_h, last, *rest
            self.primitive(x, h, c, *weights, b, *after)
        return hs


class Backward:
    """The gradients, of the same."""

    def __init__(self, T: int, N: int, C: int, H: int) -> None:
        description = backward_description(T, N, C, H)
        self.weights = weight_operands(description, WEIGHTS, C, H)
        self.gradients = weight_operands(description, DIFF_WEIGHTS, C, H)
        x, state, hs, b = (T, N, C), (N, H), (T, N, H), (4 * H,)
        first = x, state, state, *self.weights, b, hs, state, state, None
        shapes = *first, hs, state, state, x, state, state, *self.gradients, b
        arguments = *INPUTS, *OUTPUTS, *GIVEN, *FOUND
        self.primitive = with_all(description, arguments, shapes, {*FOUND, WORKSPACE})
        self.needed = bytes_of(wanted(description, WORKSPACE))

    def __call__(
        self, x: Any, h: Any, c: Any, Wx: Any, Wh: Any, b: Any, workspace: Any, hs: Any,
        last: Any, ghs: Any, gc: Any,
    ) -> Any:  # fmt: skip
        """In new arrays: those of x, h, c, Wx, Wh and b."""
        of_steps = [np.empty_like(array) for array in (x, h, c)]
        of_weights = [np.empty_like(array) for array in (Wx, Wh)]
        places = [its.place(gW) for its, gW in zip(self.gradients, of_weights, strict=True)]
        gb = np.empty_like(b)
        for sum_of_steps in (*places, gb):  # to which oneDNN adds
            sum_of_steps.fill(0)
        gh = np.zeros_like(h)  # h after the last step is one of hs, and has no other gradient
        with one_thread():
            weights = [its.taken(W) for its, W in zip(self.weights, (Wx, Wh), strict=True)]
            after = hs, hs[-1], last, workspace[: self.needed], ghs, gh, gc
            self.primitive(x, h, c, *weights, b, *after, *of_steps, *places, gb)
            for its, place, gW in zip(self.gradients, places, of_weights, strict=True):
                its.give(place, gW)
        return *of_steps, *of_weights, gb


forward, backward = ForEachThread(Forward), ForEachThread(Backward)


def with_all(
    description: Handle, arguments: tuple[int, ...], shapes: tuple[Any, ...], outputs: set[int]
) -> Primitive:
    """Return an operation whose arguments have the layouts that it requires.

    Args:
        description: oneDNN's description of the operation.
        arguments: the numbers of the arguments.
        shapes: for each argument, its array's shape, the operand with its slot, or None for bytes.
        outputs: the numbers of the arguments that oneDNN writes to.
    """
    slots = {}
    for number, shape in zip(arguments, shapes, strict=False):
        layout, is_output = wanted(description, number), number in outputs
        if isinstance(shape, Operand):
            slots[number] = shape.slot
        elif shape is None:
            slots[number] = bytes_slot(layout, is_output)
        else:
            slots[number] = Slot(layout, shape, is_output=is_output)
    return Primitive(description, slots)


def weight_operands(description: Handle, first: int, C: int, H: int) -> list[Operand]:
    """Of Wx (C, 4 H) and Wh (H, 4 H), or of their gradients."""
    return [
        Operand(
            (size, 4 * H),
            layout((1, 1, size, 4, H)),
            wanted(description, number),
            first == DIFF_WEIGHTS,
        )
        for number, size in ((first, C), (first + 1, H))
    ]


def layouts(T: int, N: int, C: int, H: int) -> list[Any]:
    """Of x, h and c; Wx and Wh, no peepholes, no projection, b; hs, h and c."""
    state = layout((1, 1, N, H))
    Wx, Wh = (open_layout((1, 1, size, 4, H)) for size in (C, H))
    x, hs, bias = layout((T, N, C)), layout((T, N, H)), layout((1, 1, 4, H))
    return [x, state, state, Wx, Wh, None, None, bias, hs, state, state]


def forward_description(T: int, N: int, C: int, H: int, kind: int) -> Handle:
    """Of the steps; oneDNN wants it for the gradients too."""
    how = c_int(kind), c_int(LEFT_TO_RIGHT)
    return described("lstm_forward", engine(), *how, *layouts(T, N, C, H), c_uint(0))


def backward_description(T: int, N: int, C: int, H: int) -> Handle:
    """Of the gradients."""
    sizes, how = (T, N, C, H), (c_int(BACKWARD), c_int(LEFT_TO_RIGHT))
    both = *layouts(*sizes), *layouts(*sizes)
    hint = forward_description(*sizes, TRAINING)
    return described("lstm_backward", engine(), *how, *both, c_uint(0), hint)
