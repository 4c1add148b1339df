"""Provide tools for the parameters of models, under the names of ``torch.nn.utils``."""

from __future__ import annotations

from collections.abc import Iterable

from dezero_core import Parameter, Variable, as_variable
from dezero_core.dtypes import cast
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import backend_of
from dezero_core.functions import concat, pad, reshape, stack
from dezero_core.state import match_device, updating
from dezero_core.variable import Operand

from .layers.layer import Layer
from .layers.weight_norms import spectral_norm, weight_norm
from .optimizers.gradient_hooks import list_params

__all__ = [
    "pad_sequence",
    "parameters_to_vector",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]


def parameters_to_vector(parameters: Parameter | Layer | Iterable[Parameter]) -> Variable:
    """Return all elements of Parameters as one vector, which is connected to the graph.

    Args:
        parameters: a layer, a Parameter, or an iterable of Parameters, such as ``model.params()``.

    Raises:
        ArgumentError: there are no Parameters, or one has no data yet.
        ArgumentTypeError: ``parameters`` is of an unsupported type.
    """
    params = with_data("parameters_to_vector", parameters)
    return concat([reshape(param, (-1,)) for param in params])


def vector_to_parameters(
    vector: Operand, parameters: Parameter | Layer | Iterable[Parameter]
) -> None:
    """Set Parameters to the elements of a vector, in the order of `parameters_to_vector`.

    The elements are copied, and converted to the dtype of each Parameter.

    Args:
        vector: shape (M,), where M is the number of elements of all Parameters.
        parameters: as for `parameters_to_vector`.

    Raises:
        ShapeError: ``vector`` does not have the shape (M,).
        ArgumentError, ArgumentTypeError: as for `parameters_to_vector`.
    """
    params = with_data("vector_to_parameters", parameters)
    array, count = as_variable(vector).data, sum(param.size for param in params)
    if tuple(array.shape) != (count,):
        raise ShapeError(
            f"vector_to_parameters: vector {tuple(array.shape)}; expected ({count},), the number "
            "of elements of all Parameters"
        )
    start, backend = 0, backend_of(array)
    with updating():
        for param in params:
            part = backend.copy(array[start : start + param.size])
            start += param.size
            part = match_device(backend.xp.reshape(part, param.shape), param.data)
            param.data = cast(part, param.dtype)


def pad_sequence(
    sequences: Iterable[Operand], batch_first: bool = False, padding_value: float = 0
) -> Variable:
    """Stack sequences of different lengths, each padded at its end to the longest one.

    Recurrent layers take the lengths too: ``rnn(pad_sequence(xs), lengths=[len(x) for x in xs])``.

    Args:
        sequences: N arrays or Variables of shape (length, ...), with equal lengths of the other
            axes.
        batch_first: whether the result is (N, T, ...) instead of (T, N, ...) (default False).
        padding_value: the value of the added elements (default 0).

    Raises:
        ShapeError: there are no sequences, one has no axes, or the other axes differ.
    """
    xs = [as_variable(x) for x in sequences]
    if not xs or any(x.ndim == 0 or x.shape[1:] != xs[0].shape[1:] for x in xs):
        raise ShapeError(
            f"pad_sequence: sequences {', '.join(str(x.shape) for x in xs) or '()'}; expected at "
            "least one, of shape (length, ...), where only the lengths differ"
        )
    steps, others = max(x.shape[0] for x in xs), [(0, 0)] * (xs[0].ndim - 1)
    padded = [pad(x, [(0, steps - x.shape[0]), *others], padding_value) for x in xs]
    return stack(padded, axis=0 if batch_first else 1)


def with_data(op: str, parameters: Parameter | Layer | Iterable[Parameter]) -> list[Parameter]:
    """Return the Parameters as a list; raise `ArgumentError` if it is empty or lacks data."""
    params = list_params(op, parameters)
    if not params or any(param.data is None for param in params):
        what = "a Parameter has no data yet" if params else "there are no Parameters"
        raise ArgumentError(
            f"{op}: {what}; pass the input sizes to the layers, or run one forward pass first"
        )
    return params
