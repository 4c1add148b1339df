"""Define `one_hot`, which encodes class labels as vectors."""

from __future__ import annotations

from dezero_core import Variable, as_variable, get_array_module
from dezero_core.arguments import as_integer
from dezero_core.dtypes import cast
from dezero_core.errors import ArgumentError
from dezero_core.extend import backend_of
from dezero_core.hints import hinted
from dezero_core.state import on_device_of
from dezero_core.variable import Operand

from .labels import require_classes


@hinted
def one_hot(t: Operand, num_classes: int = -1) -> Variable:
    """Return vectors of integers that are 1 at the label and 0 elsewhere.

    `cross_entropy` and the book's losses take the labels themselves.

    Args:
        t: integer labels from [0, num_classes), any shape.
        num_classes: the length of the vectors; -1 (default) stands for the largest label plus 1.

    Returns:
        int64, the shape of ``t`` followed by ``num_classes``.

    Raises:
        LabelError: the labels are not integers, or one is out of range.
        ArgumentError: there are no labels to infer ``num_classes`` from, or it is negative.
    """
    labels, count = as_variable(t).data, as_integer("one_hot", "num_classes", num_classes, -1)
    xp = get_array_module(labels)
    with on_device_of(labels):
        if count == -1:
            if 0 in labels.shape:
                raise ArgumentError("one_hot: t has no labels; give num_classes")
            count = int(xp.max(labels)) + 1
        require_classes("one_hot", "label", labels, count)
        classes = backend_of(labels).arange(count, labels)
        hits = classes == xp.expand_dims(cast(labels, xp.int64), axis=-1)
        return Variable(cast(hits, xp.int64), requires_grad=False)
