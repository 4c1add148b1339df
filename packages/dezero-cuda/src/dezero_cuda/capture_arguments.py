"""Separate the arrays in the arguments of a step from the values that select its graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import cupy
import numpy as np

from dezero_core import Buffer, Config, Parameter, Variable
from dezero_core.errors import CaptureError
from dezero_core.state import step_keys

from .capture_rows import Rows, is_deferred

STORED = (Parameter, Buffer)
"""The types of Variables whose arrays a step uses directly, without a copy."""


class Arguments(NamedTuple):
    """Describe the arguments of one call.

    Attributes:
        args, kwargs: the positional and the keyword arguments.
        arrays: the arrays in the arguments, in order.
        variables: the Variables in the arguments, except `STORED` and `rows`, in order.
        rows: the Variables for rows that the graph gathers, in order.
        key: the structure of the arguments, the shapes, dtypes and devices of the arrays, and all
            other values. A graph is selected by the key.
        are_on_host: whether there are arrays, all of them NumPy arrays.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    arrays: list[cupy.ndarray]
    variables: list[Variable]
    rows: list[Rows]
    key: Hashable
    are_on_host: bool


def split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """Return the arguments of a call with their arrays and their key.

    Raises:
        CaptureError: an argument is not hashable, so that the call cannot select a graph.
        CaptureError: there are both NumPy arrays and arrays on a GPU.
    """
    arrays: list[Any] = []
    variables: list[Variable] = []
    rows: list[Rows] = []
    batches: dict[int, int] = {}

    def key_of(x: Any) -> Hashable:
        if is_deferred(x):
            rows.append(x)
            batch = batches.setdefault(id(x.positions), len(batches))
            return Rows, id(x.source), x.shape, len(x.positions.order), batch
        if isinstance(x, Variable) and not isinstance(x, STORED):
            variables.append(x)
            return type(x), x.requires_grad, key_of(x.data)
        if isinstance(x, cupy.ndarray | np.ndarray):
            arrays.append(x)
            device = x.device.id if isinstance(x, cupy.ndarray) else None
            return type(x), x.shape, x.dtype, device
        if isinstance(x, tuple | list):
            return type(x), *[key_of(part) for part in x]
        if isinstance(x, dict):
            return dict, *[(name, key_of(part)) for name, part in x.items()]
        try:
            hash(x)
        except TypeError:
            raise CaptureError(
                f"capture: an argument is of type {type(x).__name__}, which is not hashable; pass "
                "arrays, numbers, strings, and tuples, lists and dictionaries of them"
            ) from None
        return type(x), x

    key = key_of((args, kwargs))
    on_host = [isinstance(x, np.ndarray) for x in arrays] + [False] * len(rows)
    if any(on_host) and not all(on_host):
        raise CaptureError(
            "capture: got NumPy arrays and arrays on a GPU; move all arrays to the GPU: "
            "Variable(x).to_gpu()"
        )
    are_on_host = bool(on_host) and all(on_host)
    return Arguments(args, kwargs, arrays, variables, rows, key, are_on_host)


def map_arrays(
    x: Any, of_array: Callable[[Any], Any], of_variable: Callable[[Variable], Any]
) -> Any:
    """Replace the device arrays and the Variables in tuples, lists and dictionaries."""
    if isinstance(x, Variable):
        return x if isinstance(x, STORED) else of_variable(x)
    if isinstance(x, cupy.ndarray):
        return of_array(x)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[map_arrays(part, of_array, of_variable) for part in x])
    if isinstance(x, tuple | list):
        return type(x)([map_arrays(part, of_array, of_variable) for part in x])
    if isinstance(x, dict):
        return {name: map_arrays(part, of_array, of_variable) for name, part in x.items()}
    return x


def settings() -> Hashable:
    """Return the settings of DeZero that decide which kernels run, and the `step_keys`."""
    return (
        *[key() for key in step_keys],
        Config.train,
        Config.enable_backprop,
        Config.update_buffers,
        Config.exact,
        Config.float32_precision,
    )
