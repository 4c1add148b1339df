"""Define `Recurrent`, the base class of layers that store a state between calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer, require_bool
from dezero_core.errors import ShapeError
from dezero_core.functions import (
    concat,
    expand_dims,
    flip,
    stack,
    transpose,
    unstack,
    where,
)
from dezero_core.variable import Operand

from ..functions.dropout import dropout as drop
from ..functions.dropout import require_ratio
from .layer import Layer
from .lengths import Lengths
from .weighted import parameter_dtype


class Recurrent(Layer):
    """Base class of layers that store a state ``h``, shape (N, hidden), between calls.

    If the input is one step of N sequences, shape (N, in), the output is the new state. If the
    input is T steps, shape (T, N, in), the output is the state after each step, shape (T, N,
    hidden).

    With ``num_layers``, each layer gets the outputs of the layer before. With ``bidirectional``,
    each layer also runs backward from the last step. Then the outputs of both directions are
    joined, shape (T, N, 2 hidden), and each call begins with zeros or with the argument ``state``.
    The object itself is the first layer; ``cells`` holds the other layers and directions, under
    PyTorch's names: ``l0_reverse``, ``l1``, ``l1_reverse``, ... A call does not run the
    hooks of the layers in ``cells``.

    The state holds the graph of all earlier calls: cut this graph with ``unchain_backward()`` from
    time to time. ``reset_state()`` begins a new sequence. Copies of the layer start without a
    state.

    Args:
        hidden_size: size of the state, at least 1.
        num_layers: the number of layers, at least 1 (default 1).
        bidirectional: whether each layer has two directions (default False).
        dropout: probability of dropping an element of a layer's outputs, except those of the last
            layer, while training (default 0.0).
        batch_first: whether sequences are (N, T, in) and their outputs (N, T, hidden); this does
            not change the shape of the state (default False).
        nobias: whether to leave out all biases (default False).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).

    Attributes:
        cells: a dictionary from names to the layers and directions after the first.
    """

    STATES: ClassVar[tuple[str, ...]] = ("h",)  # names of the attributes that hold the state
    h: Variable | None
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    batch_first: bool = False
    nobias: bool = False
    dtype: str = "float32"
    cells: Mapping[str, Recurrent] = MappingProxyType({})

    def __init__(
        self,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        nobias: bool = False,
        dtype: object = "float32",
    ) -> None:
        name = type(self).__name__
        self.hidden_size = as_integer(name, "hidden_size", hidden_size, 1)
        self.num_layers = as_integer(name, "num_layers", num_layers, 1)
        require_bool(name, "bidirectional", bidirectional, "; True adds a backward direction")
        require_bool(name, "batch_first", batch_first, "; True swaps the first two axes")
        require_bool(name, "nobias", nobias, "; True leaves the biases out")
        require_ratio(name, dropout, "dropout")
        self.bidirectional, self.batch_first = bool(bidirectional), bool(batch_first)
        self.nobias, self.dtype = bool(nobias), parameter_dtype(name, dtype)
        self.dropout = dropout
        self.reset_state()

    def further_cells(
        self, make: Callable[..., Recurrent], in_size: int | None
    ) -> dict[str, Recurrent]:
        """Return new layers for ``cells``, made by ``make``; ``in_size`` is the input's size."""
        ways = ("", "_reverse")[: 1 + self.bidirectional]
        names = [f"l{layer}{way}" for layer in range(self.num_layers) for way in ways]
        above = self.hidden_size * len(ways)
        return {
            name: make(
                self.hidden_size,
                in_size=in_size if name == "l0_reverse" else above,
                nobias=self.nobias,
                dtype=self.dtype,
            )
            for name in names[1:]
        }

    def all_cells(self) -> tuple[Recurrent, ...]:
        """Return this layer and the layers in ``cells``."""
        return self, *self.cells.values()

    def reset_state(self) -> None:
        """Drop the state; call this before each new sequence."""
        for cell in self.all_cells():
            for name in cell.STATES:
                setattr(cell, name, None)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), **dict.fromkeys(self.STATES)}

    @property
    def state(self) -> Any:
        """Return the states of all layers and directions, or None; assign a state to set them.

        Like PyTorch's second output, the state is h of shape (num_layers * directions, N, hidden),
        or for `LSTM` the pair (h, c).
        """
        parts = [[getattr(cell, name) for cell in self.all_cells()] for name in self.STATES]
        if any(part is None for of_cells in parts for part in of_cells):
            return None
        stacked = tuple(stack(of_cells) for of_cells in parts)
        return stacked[0] if len(stacked) == 1 else stacked

    @state.setter
    def state(self, state: Any) -> None:
        parts = [] if state is None else state_parts(self, state)
        self.reset_state()
        for name, part in zip(self.STATES, parts, strict=False):  # None has no parts
            for cell, row in zip(self.all_cells(), unstack(part), strict=True):
                setattr(cell, name, row)

    def forward(self, x: Operand, state: Any = None, *, lengths: Any = None) -> Variable:
        """Run over one step or a sequence.

        Args:
            x: shape (N, in) or (T, N, in); with ``batch_first``, (N, in) or (N, T, in).
            state: the state before the first step, in the form of the attribute ``state``; the
                stored state if None. For one layer and direction, the first axis may be missing.
            lengths: N integers from 1 to T, the number of steps of each sequence. The steps after
                these are padding, which is not read: there the outputs are 0, and the state is the
                one after the last step of each sequence.

        Raises:
            ShapeError: the shape of ``x``, ``state`` or ``lengths`` is wrong.
            ArgumentError: ``lengths`` are not integers from 1 to T.
        """
        x = as_variable(x)
        before = self.h if not self.bidirectional else None
        if state is not None:
            before = state_parts(self, state)[0][0]
        self.require_input(x, None if before is None else before.shape[0], lengths is not None)
        is_swapped = self.batch_first and x.ndim == 3
        if is_swapped:
            x = transpose(x, (1, 0, 2))
        padding = None if lengths is None else Lengths(type(self).__name__, lengths, x)
        if state is not None or self.bidirectional:
            self.state = state
        y = x if padding is None else padding.masked(x)
        cells, ways = self.all_cells(), 1 + self.bidirectional
        for first in range(0, len(cells), ways):
            if first:
                y = drop(y, self.dropout)
            layer = enumerate(cells[first : first + ways])
            outputs = [run_cell(cell, y, padding, way == 1) for way, cell in layer]
            y = concat(outputs, axis=-1) if ways == 2 else outputs[0]
        return transpose(y, (1, 0, 2)) if is_swapped else y

    def require_input(self, x: Variable, rows: int | None, has_lengths: bool) -> None:
        """Raise `ShapeError` unless ``x`` is a step or sequence of as many rows as the state."""
        needs_steps = self.bidirectional or has_lengths
        steps, batch = (1, 0) if self.batch_first and x.ndim == 3 else (0, -2)
        fits = (x.ndim == 3 and x.shape[steps] > 0) or (x.ndim == 2 and not needs_steps)
        if fits and rows in (None, x.shape[batch]):
            return
        step = "" if needs_steps else "(N, in), one step of N sequences, or "
        sequence = "(N, T, in)" if self.batch_first else "(T, N, in)"
        why = "; one step has no backward direction and no lengths" if needs_steps else ""
        why += "; T must be at least 1" if x.ndim == 3 and x.shape[steps] == 0 else ""
        why += "" if rows is None else f"; the state is of {rows} rows; reset_state() drops it"
        raise ShapeError(
            f"{type(self).__name__}: x {x.shape}: expected {step}{sequence}, T steps{why}"
        )

    def step(self, x: Variable) -> Variable:
        """Update the state from one step ``x``, shape (N, in), and return the new state."""
        raise NotImplementedError(f"{type(self).__name__} has no step(x)")

    def sequence(self, x: Variable, lengths: Lengths | None = None) -> Variable:
        """Return the state after each step of ``x``, whose shape is (T, N, in).

        With ``lengths``, the state stays the same after the last step of each sequence.
        """
        hs: list[Variable] = []
        for t, row in enumerate(unstack(x)):
            before = [getattr(self, name) for name in self.STATES]
            hs.append(self.step(row))
            if lengths is not None and t > 0:  # every sequence has a first step
                for name, kept in zip(self.STATES, before, strict=True):
                    setattr(self, name, where(lengths.valid[t, ...], getattr(self, name), kept))
        return stack(hs)


def run_cell(cell: Recurrent, x: Variable, padding: Lengths | None, is_backward: bool) -> Variable:
    """Run one layer in one direction over a step or a sequence; return its outputs."""
    if x.ndim == 2:
        return cell.step(x)
    if padding is None:
        return flip(cell.sequence(flip(x, 0)), 0) if is_backward else cell.sequence(x)
    hs = padding.masked(cell.sequence(padding.reverse(x) if is_backward else x, padding))
    return padding.reverse(hs) if is_backward else hs


def state_parts(layer: Recurrent, state: Any) -> list[Variable]:
    """Return the parts of a state, such as h and c, as Variables of shape (layers, N, hidden).

    Raises:
        ShapeError: ``state`` does not have the form of ``Recurrent.state``.
    """
    parts = list(state) if len(layer.STATES) > 1 and isinstance(state, tuple | list) else [state]
    cells = len(layer.all_cells())
    parts = [as_variable(part) for part in parts]
    parts = [expand_dims(part, 0) if cells == 1 and part.ndim == 2 else part for part in parts]
    shapes = [part.shape for part in parts]
    fits = len(parts) == len(layer.STATES) and len(set(shapes)) == 1 and len(shapes[0]) == 3
    if not fits or shapes[0][0] != cells or shapes[0][2] != layer.hidden_size:
        form = f"({cells}, N, {layer.hidden_size})"
        names = f"a pair (h, c), each {form}" if len(layer.STATES) > 1 else form
        raise ShapeError(
            f"{type(layer).__name__}: state {', '.join(map(str, shapes))}; expected {names}, where "
            "the first length is the number of layers times directions"
        )
    return parts
