"""Define batches whose rows are gathered when a program reads them, or inside a captured step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dezero_core import Variable
from dezero_core.extend import backend_of
from dezero_core.state import on_device_of, set_grad


@dataclass(frozen=True, eq=False)
class Positions:
    """Describe the rows of one batch, whose indices are ``order[start:stop]``.

    Attributes:
        order: the indices of all rows of a pass, an array on a device that never changes.
        start, stop: where the batch begins and ends in ``order``.
    """

    order: Any
    start: int
    stop: int


class DeferredRows(Variable):
    """Select rows of an array on a device; the first read of ``data`` gathers them.

    A captured step reads ``source`` and ``positions`` instead of ``data``, and gathers the rows
    inside its graph.

    Args:
        source: an array on a device that never changes.
        positions: the rows to select; the inputs and labels of one batch share this object.
    """

    __slots__ = ("_rows", "positions", "source")

    def __init__(self, source: Any, positions: Positions) -> None:
        self.source, self.positions = source, positions
        self._rows: Any = None
        super().__init__(None, requires_grad=False)

    @property
    def data(self) -> Any:
        """The rows, an array; gathered when ``data`` is first read."""
        if self._rows is None:
            at = self.positions
            with on_device_of(self.source):
                rows = at.order[at.start : at.stop]
                self._rows = backend_of(self.source).get_item(self.source, rows)
        return self._rows

    @data.setter
    def data(self, rows: Any) -> None:
        self._rows = rows

    @property
    def is_deferred(self) -> bool:
        """Return whether the rows have not been gathered yet."""
        return self._rows is None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the rows, known before they are gathered."""
        if self.is_deferred:
            return (self.positions.stop - self.positions.start, *self.source.shape[1:])
        return super().shape

    def __len__(self) -> int:
        return self.shape[0]

    def __copy__(self) -> Variable:
        """Return a Variable with the same rows and gradient."""
        x = Variable(self.data, self.name, requires_grad=self.requires_grad)
        set_grad(x, self.grad)
        return x

    def __reduce__(self) -> Any:
        """Pickle or deep-copy the rows and their gradient, without ``source``."""
        return self.__copy__().__reduce__()
