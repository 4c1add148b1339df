"""Define batches whose rows are gathered when a program reads them, or inside a captured step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dezero_core import Variable
from dezero_core.extend import backend_of
from dezero_core.state import on_device_of


@dataclass(frozen=True, eq=False)
class Positions:
    """Describe the rows of one batch: those at ``order[start:stop]``.

    Attributes:
        order: the indices of all rows of a pass, an array on a device; it never changes.
        start, stop: the positions of the batch in ``order``.
    """

    order: Any
    start: int
    stop: int


class DeferredRows(Variable):
    """Select rows of an array on a device; the first read of ``data`` gathers them.

    A captured step reads ``source`` and ``positions`` instead of ``data``, and gathers the rows
    inside its graph.

    Args:
        source: an array on a device, which never changes.
        positions: the rows; the parts of one batch have the same object.
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
        return (self.positions.stop - self.positions.start, *self.source.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]
