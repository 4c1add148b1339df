"""Define the CTC loss, which sums over all alignments of a label sequence with the time steps.

The labels of a sequence are separated and surrounded by blanks: "cat" becomes "-c-a-t-". An
alignment visits these states from left to right: in each step it stays, moves on by one state, or
skips a blank between two different labels. The forward variable of a state is the log-probability
of all alignments that end there:

    alpha[t, s] = log(sum of exp(alpha[t - 1, s'])) + log p[t, state s],   s' = s, s - 1 (, s - 2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_integer, as_integers, require_bool
from dezero_core.dtypes import as_floating, call_widened, cast, is_floating
from dezero_core.errors import ArgumentError, LabelError, ShapeError
from dezero_core.extend import Array, backend_of, unwrap
from dezero_core.functions import (
    concat,
    exp,
    logsumexp,
    pad,
    reshape,
    stack,
    take_along_axis,
    unstack,
    where,
)
from dezero_core.functions.joining import stack_arrays
from dezero_core.hints import hinted
from dezero_core.state import on_device_of
from dezero_core.variable import AnyArray, Operand

from .reductions import reduced, require_reduction


@hinted
def ctc_loss(
    log_probs: Operand,
    targets: Operand,
    input_lengths: Operand | Sequence[int],
    target_lengths: Operand | Sequence[int],
    blank: int = 0,
    *,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Variable:
    """Return minus the log-probability of label sequences, summed over all alignments.

    Graves et al., "Connectionist Temporal Classification", 2006.

    Args:
        log_probs: log-probabilities of C classes for each step, shape (T, N, C), for example of
            `log_softmax`; or (T, C) for one sequence.
        targets: integer labels, shape (N, S), padded with any labels after the length of the
            sequence; or all labels one after the other, of shape (sum of ``target_lengths``,).
        input_lengths, target_lengths: the number of steps and of labels of each sequence, shape
            (N,); integers for one sequence.
        blank: the class of the blank (default 0), which must not be a label.
        reduction: ``"mean"`` (default) divides the loss of each sequence by its number of labels
            (by 1 if there are none), and averages over the batch. ``"sum"`` adds the losses;
            ``"none"`` returns the loss of each sequence.
        zero_infinity: replace infinite losses, of sequences with too few steps for their labels, by
            0 (default False). The gradient of an infinite loss is 0.

    Raises:
        ShapeError: the shapes do not fit.
        LabelError: a label is not an integer, out of range, or the blank.
        ArgumentError: a length or ``blank`` is out of range, or ``reduction`` has another value.
    """
    require_reduction("ctc_loss", reduction)
    require_bool("ctc_loss", "zero_infinity", zero_infinity)
    x = as_variable(as_floating(log_probs))
    is_batch, steps = x.ndim == 3, tuple(x.shape)
    if x.ndim not in (2, 3) or 0 in steps:
        raise ShapeError(f"ctc_loss: log_probs {steps}: expected (T, N, C) or (T, C), not empty")
    n = steps[1] if is_batch else 1
    lengths = lengths_of("input_lengths", input_lengths, n, 1, steps[0])
    counts = lengths_of("target_lengths", target_lengths, n, 0)
    blank = as_integer("ctc_loss", "blank", blank, 0)
    if blank >= steps[-1]:
        raise ArgumentError(
            f"ctc_loss: blank {blank} with {steps[-1]} classes; expected a class from 0 to "
            f"{steps[-1] - 1}"
        )
    states = states_of(as_variable(targets).data, counts, steps[-1], blank)
    batch = x if is_batch else reshape(x, (steps[0], 1, steps[1]))
    losses = call_widened(lambda x: alignment_losses(x, states, lengths, counts), batch)
    if zero_infinity:
        losses = where(unwrap(losses) == math.inf, 0.0, losses)
    if reduction == "mean":
        losses = losses / array_like([float(max(count, 1)) for count in counts], losses)
    return reduced("ctc_loss", losses if is_batch else reshape(losses, ()), reduction)


def lengths_of(name: str, lengths: Any, n: int, least: int, most: float = math.inf) -> list[int]:
    """Return the lengths of the ``n`` sequences of a batch as integers in [least, most]."""
    found = list(as_integers("ctc_loss", name, unwrap(lengths)))
    if len(found) != n:
        raise ShapeError(f"ctc_loss: {name} has {len(found)} elements for {n} sequences")
    for length in found:
        if not least <= length <= most:
            raise ArgumentError(f"ctc_loss: {name} contains {length}: expected {least} to {most}")
    return found


def states_of(targets: Array, counts: list[int], classes: int, blank: int) -> list[list[int]]:
    """Return the labels of each sequence between blanks, padded with blanks: (N, 2 S + 1).

    The labels are copied to the host, where the states of all sequences are lists.

    Raises:
        ShapeError: ``targets`` has another shape than (N, S) or (sum of the lengths,).
        LabelError: a label is not an integer, out of range, or the blank.
    """
    shape, n, longest = tuple(targets.shape), len(counts), max(counts)
    is_flat = shape == (sum(counts),)
    if not is_flat and (len(shape) != 2 or shape[0] != n or shape[1] < longest):
        raise ShapeError(
            f"ctc_loss: targets {shape}, target_lengths {counts}: expected ({n}, {longest}) or "
            f"({sum(counts)},)"
        )
    if not get_array_module(targets).isdtype(targets.dtype, "integral"):
        raise LabelError(f"ctc_loss: labels are integers, got {targets.dtype}")
    rows = backend_of(targets).to_numpy(targets).tolist()
    if is_flat:
        ends = list(accumulate(counts))
        rows = [rows[end - count : end] for count, end in zip(counts, ends, strict=True)]
    states = []
    for row, count in zip(rows, counts, strict=True):
        for label in row[:count]:
            if label == blank or not 0 <= label < classes:
                reason = "is the blank" if label == blank else f"with {classes} classes"
                raise LabelError(f"ctc_loss: label {label} {reason}")
        between = [state for label in row[:count] for state in (blank, label)]
        states.append(between + [blank] * (2 * longest + 1 - len(between)))
    return states


def alignment_losses(
    x: Variable, states: list[list[int]], lengths: list[int], counts: list[int]
) -> Variable:
    """Return minus the log-probability of each sequence of states, shape (N,)."""
    count, steps = range(len(states[0])), backend_of(x.data).arange(len(x), x.data)
    with on_device_of(x.data):
        is_running = steps[:, None, None] < array_like([[n] for n in lengths], x)
    emitted = where(is_running, take_along_axis(x, array_like([states], x), -1), 0.0)
    pairs = [zip(row, row[2:] + row[:2], strict=True) for row in states]
    can_skip = array_like([[label != later for label, later in row] for row in pairs], x)
    alpha = ForwardRecursion(can_skip)(emitted) + emitted
    last = alpha[array_like([n - 1 for n in lengths], x), array_like(list(range(len(states))), x)]
    ends = array_like([[2 * n - 1 <= s <= 2 * n for s in count] for n in counts], x)
    return -logsumexp(where(ends, last, -math.inf), 1)


class ForwardRecursion(Function):
    """Return r (T, N, S), the log-probability of being in state s before step t emits its label.

    x (T, N, S) is the log-probability of the label of each state, and alpha = r + x. State s is
    reached from the states s' = s and s - 1, and also from s - 2 if ``can_skip[s - 2]``.

    r[0, s] = 0 for s < 2, else -inf;  r[t + 1, s] = log(sum over s' of exp(alpha[t, s'])).
    With w = exp(alpha[t, s'] - r[t + 1, s]), the probability that state s was reached from s', and
    G = gy + gx:  gx[t, s'] = sum of w G[t + 1, s] over the states s that are reached from s'.

    Args:
        can_skip: bools (N, S), true if state s + 2 is reached from state s.
    """

    def __init__(self, can_skip: Array) -> None:
        self.can_skip = can_skip

    def forward(self, x: Array) -> Any:
        xp, minus_inf = get_array_module(x), backend_of(x).scalar_like(-math.inf, x)
        T, N, S = x.shape
        zeros = backend_of(x).zeros((N, S), x)
        edge = zeros[:, :1] + minus_inf
        reached = [xp.where(backend_of(x).arange(S, x) < 2, zeros, minus_inf)]
        for t in range(T - 1):
            stay = reached[-1] + x[t, ...]
            step = xp.concat([edge, stay], axis=1)[:, :-1]
            skip = xp.concat([edge, edge, xp.where(self.can_skip, stay, minus_inf)], axis=1)[:, :-2]
            reached.append(xp.logaddexp(xp.logaddexp(stay, step), skip))
        return stack_arrays(reached)

    def backward(self, gy: AnyArray) -> Any:
        (x,), (r,) = self.inputs, self.outputs
        backend, (_, N, S) = backend_of(unwrap(x)), x.shape
        edge, found = backend.zeros((N, 2), unwrap(x)), [backend.zeros((N, S), unwrap(x))]
        alpha, later = x[:-1, ...] + r[:-1, ...], r[1:, ...]
        later = where(unwrap(later) == -math.inf, math.inf, later)  # no weight for these states
        later = pad(later, ((0, 0), (0, 0), (0, 2)), math.inf)
        weights = [exp(alpha - later[..., k : k + S]) for k in range(3)]
        weights[2] = where(self.can_skip, weights[2], 0.0)
        *gys, g = unstack(gy)
        steps = list(zip(*map(unstack, weights), gys, strict=True))
        for stay, step, skip, gy_t in reversed(steps):
            g = concat([g, edge], axis=1)
            gx = stay * g[:, :-2] + step * g[:, 1:-1] + skip * g[:, 2:]
            found.append(gx)
            g = gy_t + gx
        return stack(found[::-1])


def array_like(values: list[Any], x: Variable) -> Any:
    """Return a list as an array on the device of ``x``; floats take the dtype of ``x``."""
    backend = backend_of(x.data)
    with on_device_of(x.data):
        array = backend.asarray(values)
        return cast(array, x.dtype) if is_floating(array.dtype, backend) else array
