"""Handle NumPy functions called with Variables, without losing the graph.

NumPy passes calls such as ``np.sum(x)`` and ``np.concatenate([x, y])`` to a Variable's
``__array_function__`` (NEP 18). There are three cases:

1. The function is in `DIFFERENTIABLE` or `REARRANGING`: DeZero's ops return a Variable.
2. The function is in `WITHOUT_DERIVATIVE`: NumPy runs on the data and returns plain arrays.
3. The function is in no table: an error names the function and, if known, a replacement.

Ufuncs such as ``np.exp`` are not handled: see docs/adr/0017. To add a function, add a line to one
of the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from . import functions as F
from .backends.host import HOST
from .backends.registry import backend_of
from .backends.transfer import match_device
from .errors import ArgumentError, BackendMismatch, UnsupportedType
from .hints import VARIABLE
from .variable import Operand, Variable

NO_VALUE: Any = np._NoValue
"""NumPy's marker for an omitted argument."""
ARRAYS = frozenset({"a", "arr", "array", "b", "indices", "values", "x", "x1", "x2"})
"""NumPy's names of parameters that take an array."""
Bound: TypeAlias = "Operand | None"
NumpyFunction = Callable[..., Any]


class Row(NamedTuple):
    """The DeZero function that replaces a NumPy function, and its parameters.

    Attributes:
        ours: the DeZero function.
        parameters: NumPy's parameters, in NumPy's order. Parameters before ``/`` are passed by
            position, the others by name. Passing a parameter marked with ``-`` is an error, unless
            the value has the same effect as the default. ``*`` stands for any number of arrays.
    """

    ours: Callable[..., Any]
    parameters: str


def as_operand(name: str, value: Any) -> Any:
    """Convert a list or tuple to an array, if NumPy's parameter ``name`` takes an array."""
    if name in ("arrays", "tup"):
        return [as_operand("x", x) for x in value]
    return np.asarray(value) if name in ARRAYS and isinstance(value, list | tuple) else value


def _joined(at_least: NumpyFunction, axis: int, tup: Sequence[Operand]) -> Variable:
    return F.concat([_reshape_like(at_least, x) for x in tup], axis)


def _hstack(tup: Sequence[Operand]) -> Variable:
    xs = [_reshape_like(np.atleast_1d, x) for x in tup]
    return F.concat(xs, 0 if xs[0].ndim == 1 else 1)


def _column_stack(tup: Sequence[Operand]) -> Variable:
    return F.concat([F.reshape(x, (-1, 1)) if len(np.shape(x)) < 2 else x for x in tup], 1)


def _at_least(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return ``np.atleast_1d``, ``_2d`` or ``_3d`` for Variables."""

    def call(*arys: Operand) -> Any:
        results = [_reshape_like(function, x) for x in arys]
        return tuple(results) if len(results) > 1 else results[0]

    return call


def _reshape_like(function: Callable[[Any], Any], x: Operand) -> Any:
    """Return ``function(x)``; if ``x`` is a Variable, reshape it to the shape of NumPy's result."""
    if not isinstance(x, Variable):
        return function(x)
    return F.reshape(x, function(np.broadcast_to(0, x.shape)).shape)


def _broadcast_arrays(*args: Operand) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*[np.shape(x) for x in args])
    return tuple([np.broadcast_to(x, shape) for x in args])  # type: ignore[arg-type]


def _swapaxes(a: Variable, axis1: int, axis2: int) -> Variable:
    axes = np.arange(a.ndim)
    axes[[axis1, axis2]] = axes[[axis2, axis1]]
    return F.transpose(a, axes.tolist())


def _dot(a: Operand, b: Operand) -> Variable:
    shapes = np.shape(a), np.shape(b)
    if () in shapes:
        return F.mul(a, b)
    if len(shapes[1]) > 2:
        raise ArgumentError(
            f"np.dot: shapes {shapes[0]} and {shapes[1]}: with a stack of matrices on the right "
            "np.dot is not the matrix product; use matmul(a, b), which is a @ b"
        )
    return F.matmul(a, b)


def _where(condition: Operand, *xs: Operand) -> Any:
    if not xs:
        return np.nonzero(condition)  # type: ignore[arg-type]  # indices have no derivative
    return F.where(condition, *xs)


def _clip(
    a: Operand, a_min: Bound = None, a_max: Bound = None, min: Bound = None, max: Bound = None
) -> Variable:
    return F.clip(a, min if a_min is None else a_min, max if a_max is None else a_max)


def _split(function: NumpyFunction, ary: Variable, sections: Any, axis: int = 0) -> list[Any]:
    parts = function(np.broadcast_to(0, ary.shape), sections, axis)
    return list(F.split(ary, [part.shape[axis] for part in parts], axis))


def _pad(
    array: Variable, pad_width: Any, mode: Any = "constant", constant_values: Any = 0
) -> Variable:
    widths = np.broadcast_to(pad_width, (array.ndim, 2)).tolist()
    return F.pad(array, widths, constant_values, mode=mode)


DIFFERENTIABLE = {
    "amax": Row(F.max, "a / axis -out keepdims -initial -where"),
    "amin": Row(F.min, "a / axis -out keepdims -initial -where"),
    "append": Row(lambda x, y, axis=None: F.concat([x, y], axis), "arr values / axis"),
    "array_split": Row(partial(_split, np.array_split), "ary indices_or_sections / axis"),
    "astype": Row(F.astype, "x dtype / -copy -device"),
    "atleast_1d": Row(_at_least(np.atleast_1d), "*"),
    "atleast_2d": Row(_at_least(np.atleast_2d), "*"),
    "atleast_3d": Row(_at_least(np.atleast_3d), "*"),
    "average": Row(F.mean, "a / axis -weights -returned keepdims"),
    "broadcast_arrays": Row(_broadcast_arrays, "* -subok"),
    "broadcast_to": Row(F.broadcast_to, "array shape / -subok"),
    "clip": Row(_clip, "a / a_min a_max -out min max -dtype"),
    "column_stack": Row(_column_stack, "tup /"),
    "concatenate": Row(F.concat, "arrays / axis -out -dtype -casting"),
    "copy": Row(F.pos, "a / -order -subok"),
    "cumulative_prod": Row(F.cumulative_prod, "x / axis -dtype -out include_initial"),
    "cumulative_sum": Row(F.cumulative_sum, "x / axis -dtype -out include_initial"),
    "diagonal": Row(F.diagonal, "a offset axis1 axis2 /"),
    "dot": Row(_dot, "a b / -out"),
    "dstack": Row(partial(_joined, np.atleast_3d, 2), "tup /"),
    "einsum": Row(lambda *xs, optimize=None: F.einsum(*xs), "* / -out optimize"),
    "expand_dims": Row(F.expand_dims, "a / axis"),
    "flip": Row(F.flip, "m / axis"),
    "hstack": Row(_hstack, "tup / -dtype -casting"),
    "inner": Row(lambda a, b: F.tensordot(a, b, ([-1], [-1])), "a b /"),
    "linalg.diagonal": Row(partial(F.diagonal, axis1=-2, axis2=-1), "x / offset"),
    "linalg.matmul": Row(F.matmul, "x1 x2 /"),
    "linalg.matrix_transpose": Row(F.matrix_transpose, "x /"),
    "linalg.outer": Row(F.outer, "x1 x2 /"),
    "linalg.tensordot": Row(F.tensordot, "x1 x2 / axes"),
    "linalg.vecdot": Row(F.vecdot, "x1 x2 / axis"),
    "linalg.vector_norm": Row(F.vector_norm, "x / axis keepdims ord"),
    "matrix_transpose": Row(F.matrix_transpose, "x /"),
    "max": Row(F.max, "a / axis -out keepdims -initial -where"),
    "mean": Row(F.mean, "a / axis -dtype -out keepdims -where"),
    "min": Row(F.min, "a / axis -out keepdims -initial -where"),
    "moveaxis": Row(F.moveaxis, "a source destination /"),
    "outer": Row(lambda a, b: F.outer(F.reshape(a, -1), F.reshape(b, -1)), "a b / -out"),
    "pad": Row(_pad, "array pad_width / mode constant_values"),
    "prod": Row(F.prod, "a / axis -dtype -out keepdims -initial -where"),
    "ravel": Row(lambda a: F.reshape(a, -1), "a / -order"),
    "repeat": Row(F.repeat, "a repeats / axis"),
    "reshape": Row(F.reshape, "a shape / -order -copy"),
    "roll": Row(F.roll, "a shift / axis"),
    "split": Row(partial(_split, np.split), "ary indices_or_sections / axis"),
    "squeeze": Row(F.squeeze, "a / axis"),
    "stack": Row(F.stack, "arrays / axis -out -dtype -casting"),
    "std": Row(F.std, "a / axis -dtype -out ddof keepdims -where -mean correction"),
    "sum": Row(F.sum, "a / axis -dtype -out keepdims -initial -where"),
    "swapaxes": Row(_swapaxes, "a axis1 axis2 /"),
    "take": Row(F.take, "a indices / axis -out -mode"),
    "take_along_axis": Row(F.take_along_axis, "arr indices / axis"),
    "tensordot": Row(F.tensordot, "a b / axes"),
    "tile": Row(F.tile, "A reps /"),
    "trace": Row(lambda a, *k: F.sum(F.diagonal(a, *k), -1), "a offset axis1 axis2 / -dtype -out"),
    "transpose": Row(F.transpose, "a / axes"),
    "tril": Row(F.tril, "m / k"),
    "triu": Row(F.triu, "m / k"),
    "unstack": Row(F.unstack, "x / axis"),
    "var": Row(F.var, "a / axis -dtype -out ddof keepdims -where -mean correction"),
    "vdot": Row(lambda a, b: F.matmul(F.reshape(a, -1), F.reshape(b, -1)), "a b /"),
    "vstack": Row(partial(_joined, np.atleast_2d, 0), "tup / -dtype -casting"),
    "where": Row(_where, "*"),
}
"""A dictionary from names of NumPy functions to the DeZero functions that replace them."""

REARRANGING = set(
    "delete dsplit fliplr flipud hsplit resize rollaxis rot90 vsplit "
    "lib.stride_tricks.sliding_window_view".split()
)
"""Functions that only select or reorder elements of their first argument; see `rearrange`."""

WITHOUT_DERIVATIVE = {
    "shape queries": "ndim shape size result_type can_cast min_scalar_type "
    "common_type iscomplexobj isrealobj may_share_memory shares_memory einsum_path",
    "new arrays": "empty_like zeros_like ones_like full_like",
    "comparisons": "allclose array_equal array_equiv isclose isin all any",
    "predicates": "iscomplex isreal isneginf isposinf",
    "positions": "argmax argmin nanargmax nanargmin argsort argpartition argwhere lexsort nonzero "
    "flatnonzero searchsorted digitize unravel_index ravel_multi_index ix_ diag_indices_from "
    "tril_indices_from triu_indices_from",
    "counts": "bincount count_nonzero histogram histogram2d histogramdd histogram_bin_edges "
    "unique unique_all unique_counts unique_inverse unique_values",
    "rounding": "around fix round",
    "printing": "array2string array_repr array_str",
    "saving": "save savetxt savez savez_compressed",
}
"""Functions without a derivative, or with derivative 0; NumPy runs them on the arrays."""

CONSTANT = {name for names in WITHOUT_DERIVATIVE.values() for name in names.split()}

WEIGHTS = {
    "bincount": (1, "weights"),
    "full_like": (1, "fill_value"),
    "histogram": (4, "weights"),
    "histogram2d": (5, "weights"),
    "histogramdd": (4, "weights"),
}
"""For some functions of `WITHOUT_DERIVATIVE`: the one parameter that does have a derivative."""


def array_function(
    x: Variable, func: NumpyFunction, types: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run a NumPy function called with a Variable; this is ``Variable.__array_function__``.

    NEP 18 defines the arguments; ``x`` and ``types`` are not used.

    Raises:
        UnsupportedType: the function would lose the graph.
        ArgumentError: the DeZero function does not support one of the arguments.
        BackendMismatch: NumPy would have to compute on an array of another library.
    """
    name = name_of(func)
    if name in DIFFERENTIABLE:
        return call_ours(name, DIFFERENTIABLE[name], args, kwargs)
    if name in REARRANGING and args and isinstance(args[0], Variable):
        return rearrange(name, func, args, kwargs)
    if name not in CONSTANT:
        raise lost_graph_error(name)
    return call_on_data(name, func, args, kwargs)


def name_of(func: NumpyFunction) -> str:
    """Return a NumPy function's name without the leading package: ``sum``, ``linalg.norm``."""
    return f"{func.__module__}.{func.__name__}".removeprefix("numpy.")


def call_ours(name: str, row: Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the DeZero function with the arguments of the NumPy call."""
    names = row.parameters.replace("/", "").split()
    arrays: list[Any] = []
    if names[0] == "*":
        arrays, args = [as_operand("x", x) for x in args], ()
    given = dict(zip(names, args, strict=False)) | kwargs  # NumPy has checked len(args)
    by_position = row.parameters.partition("/")[0].split()
    values = [as_operand(key, given.pop(key)) for key in by_position if key in given]
    supported = {}
    for key, value in given.items():
        if key in names and not key.startswith("-"):
            if value is not NO_VALUE:
                supported["correction" if key == "ddof" else key] = value  # two names in NumPy
        elif not has_default_effect(key.removeprefix("-"), value):
            raise ArgumentError(
                f"np.{name} of a Variable: argument {key.removeprefix('-')} is not supported; "
                "leave it out, or pass x.data to compute on the array without gradients"
            )
    return row.ours(*arrays, *values, **supported)


def rearrange(name: str, func: NumpyFunction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Let NumPy rearrange the indices 0 ... size - 1, then select the elements at these indices."""
    x = args[0]
    positions = np.arange(x.size).reshape(x.shape)
    options = {key: on_host(name, part) for key, part in kwargs.items()}
    result = func(positions, *on_host(name, args[1:]), **options)
    elements = F.reshape(x, -1)
    if isinstance(result, list | tuple):
        return type(result)([F.get_item(elements, match_device(part, x.data)) for part in result])
    return F.get_item(elements, match_device(result, x.data))


def call_on_data(
    name: str, func: NumpyFunction, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call the NumPy function with Variables replaced by their arrays."""
    if name in ("ndim", "shape", "size") and len(args) == 1 and not kwargs:  # any library
        return getattr(args[0], name)
    position, weight = WEIGHTS.get(name, (len(args), ""))
    if has_variable(kwargs.get(weight)) or has_variable(args[position : position + 1]):
        raise lost_graph_error(name, f": its {weight} would get no gradient")
    return func(*on_host(name, args), **{key: on_host(name, kwargs[key]) for key in kwargs})


def has_default_effect(key: str, value: object) -> bool:
    """Return whether NumPy gives the same result if this argument is omitted."""
    if value is NO_VALUE:
        return True
    if key == "where":
        return value is True
    if isinstance(value, str):
        return value in ("C", "raise", "same_kind")
    return value is None or value is False


def has_variable(part: object) -> bool:
    """Return whether ``part`` is a Variable, or a list or tuple that contains one."""
    if isinstance(part, list | tuple):
        return any([has_variable(item) for item in part])
    return isinstance(part, Variable)


def on_host(name: str, part: object) -> Any:
    """Return ``part`` with Variables replaced by their arrays.

    Raises:
        BackendMismatch: one of the arrays is not a NumPy array.
    """
    if isinstance(part, list | tuple):
        items = [on_host(name, item) for item in part]
        return items if isinstance(part, list) else tuple(items)
    if not isinstance(part, Variable):
        return part
    backend = backend_of(part.data)
    if backend.name != HOST:
        raise BackendMismatch(
            f"np.{name}: a Variable of backend {backend.name}, and NumPy computes on the host; "
            "move the Variable there first with to_cpu()"
        )
    return part.data


def lost_graph_error(name: str, why: str = "") -> UnsupportedType:
    """Return the error for a NumPy function that would lose the graph, with a replacement."""
    ours = name.rpartition(".")[2]
    instead = VARIABLE.get(ours, f"dezero.functions.{ours}" if ours in F.__all__ else "")
    return UnsupportedType(
        f"np.{name} of a Variable{why or ' would lose its graph'}: pass x.data to compute on the "
        "array without gradients" + (f"; with gradients: {instead}" if instead else "")
    )


Variable.__array_function__ = array_function  # type: ignore[assignment, method-assign]
