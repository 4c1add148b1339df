"""Define the faults, which are typical mistakes of array libraries.

Each fault is planted in one function at a time. A fault changes the result of a call, or calls the
function with changed arguments. Most faults apply to every function; a fault that does not concern
a function never changes its results.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .library import MutantArray, wrap

Call = Callable[..., Any]
Arguments = tuple[Any, ...]
Settings = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """Describe one mistake that a library could make in any of its functions.

    Attributes:
        name: what goes wrong.
        run: a function that takes a function, its arguments and its keyword arguments, and
            returns the wrong result.
        shows: a function that takes a call's result and a list of its array arguments. If it
            returns False, the fault cannot change this call, so the call is not repeated.
        setting: the parameter that the fault concerns; None if it concerns none.
        functions: the functions that can have the fault; None for all.
        allowed: the functions in which the standard allows what the fault does.
    """

    name: str
    run: Callable[[Call, Arguments, Settings], Any]
    shows: Callable[[Any, list[Any]], bool] = lambda y, arrays: True
    setting: str | None = None
    functions: frozenset[str] | None = None
    allowed: frozenset[str] = frozenset()

    def concerns(self, function: str) -> bool:
        """Return whether a function can have the fault."""
        return function not in self.allowed and (
            self.functions is None or function in self.functions
        )


def in_results(change: Callable[[Any], Any]) -> Callable[[Call, Arguments, Settings], Any]:
    """Return a fault that changes each array that a function returns."""

    def changed(y: Any) -> Any:
        if isinstance(y, MutantArray):
            return wrap(change(y.view(np.ndarray)))
        if isinstance(y, np.ndarray):
            return change(y)
        if isinstance(y, list | tuple):
            parts = [changed(part) for part in y]
            return type(y)(*parts) if hasattr(y, "_fields") else type(y)(parts)
        return y

    return lambda function, arguments, settings: changed(function(*arguments, **settings))


def in_arrays(change: Callable[[Any], Any]) -> Callable[[Call, Arguments, Settings], Any]:
    """Return a fault that changes each array among the arguments of a function."""

    def changed(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            y = change(x.view(np.ndarray))
            return wrap(y) if isinstance(x, MutantArray) else y
        return type(x)([changed(part) for part in x]) if type(x) in (list, tuple) else x

    def run(function: Call, arguments: Arguments, settings: Settings) -> Any:
        return function(*changed(arguments), **settings)

    return run


def converted(before: str, after: str) -> Callable[[Any], Any]:
    """Return a change of arrays of dtype ``before`` to dtype ``after``."""
    return lambda x: x.astype(after) if x.dtype == before else x


def rounded(dtype: str, through: str) -> Callable[[Any], Any]:
    """Return a change of arrays of ``dtype`` to the precision of the dtype ``through``."""

    def change(x: Any) -> Any:
        return x.astype(through).astype(dtype) if x.dtype == dtype else x

    return change


def replaced(where: Callable[[Any], Any], value: float) -> Callable[[Any], Any]:
    """Return a change that writes ``value`` to some elements of floating-point arrays."""
    return lambda x: np.where(where(x), x.dtype.type(value), x) if x.dtype.kind == "f" else x


def lose_negative_zero(x: Any) -> Any:
    """Replace -0.0 by 0.0."""
    return x + x.dtype.type(0) if x.dtype.kind == "f" else x


def lose_last(x: Any) -> Any:
    """Set the last element to zero."""
    y = np.array(x, order="C")
    y.reshape(-1)[-1:] = 0
    return y


def shift(x: Any) -> Any:
    """Move every element to the next position."""
    return np.roll(x.reshape(-1), 1).reshape(x.shape)


def add_one(x: Any) -> Any:
    """Add 1 to integers."""
    return x + x.dtype.type(1) if x.dtype.kind in "iu" else x


def add_axis(x: Any) -> Any:
    """Add an axis to an array without axes."""
    return x.reshape(1) if x.ndim == 0 else x


def lose_axes(x: Any) -> Any:
    """Remove all axes of length 1."""
    return np.squeeze(x)


def flatten_empty(x: Any) -> Any:
    """Give an empty array the shape (0,)."""
    return x.reshape(0) if x.size == 0 else x


def in_memory_order(x: Any) -> Any:
    """Read the elements of a strided array from consecutive addresses."""
    if x.flags.c_contiguous or x.size < 2:
        return x
    base = np.ravel(x, order="K")
    return base.reshape(x.shape)


def refuse_empty(x: Any) -> Any:
    """Raise an error for an empty array."""
    if x.size == 0:
        raise ValueError("empty array")
    return x


def refuse_no_axes(x: Any) -> Any:
    """Raise an error for an array without axes."""
    if x.ndim == 0:
        raise ValueError("array without axes")
    return x


def refuse_many_axes(x: Any) -> Any:
    """Raise an error for an array of more than four axes."""
    if x.ndim > 4:
        raise ValueError("more than four axes")
    return x


def refuse_strides(x: Any) -> Any:
    """Raise an error for an array whose elements are not consecutive in memory."""
    if not x.flags.c_contiguous:
        raise ValueError("strided array")
    return x


def without_broadcasting(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Raise an error if the arrays have different shapes."""
    if len({x.shape for x in arguments if isinstance(x, np.ndarray) and x.ndim}) > 1:
        raise ValueError("different shapes")
    return function(*arguments, **settings)


def broadcast_to_first(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Return only the part of a result that has the shape of the first array."""
    y = function(*arguments, **settings)
    shapes = [x.shape for x in arguments if isinstance(x, np.ndarray)]
    if len(set(shapes)) < 2 or not isinstance(y, np.ndarray) or len(shapes[0]) != y.ndim:
        return y
    host = y.view(np.ndarray)
    return wrap(np.array(host[tuple(slice(0, n) for n in shapes[0])]))


def swapped(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Swap the first two arguments."""
    if len(arguments) < 2:
        return function(*arguments, **settings)
    first, second, *rest = arguments
    if isinstance(first, MutantArray) and not isinstance(second, MutantArray):
        if not isinstance(second, int | float):
            return function(*arguments, **settings)
        second = wrap(np.asarray(second, first.dtype))
    return function(second, first, *rest, **settings)


def signature(function: Call) -> inspect.Signature | None:
    """Return the signature of a function; None if NumPy does not define it."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def parameters(function: Call, count: int) -> frozenset[str | None]:
    """Return the names of the first ``count`` parameters of a function, together with None."""
    found = signature(function.args[0] if getattr(function, "args", None) else function)  # type: ignore[attr-defined]
    return frozenset([None, *(list(found.parameters)[:count] if found else [])])


def bind_arguments(
    function: Call, arguments: Arguments, settings: Settings
) -> inspect.BoundArguments:
    """Bind the arguments to the names of the parameters; raise TypeError if these are unknown."""
    found = signature(function.args[0] if getattr(function, "args", None) else function)  # type: ignore[attr-defined]
    if found is None:
        raise TypeError(f"{function} has no signature")
    return found.bind(*arguments, **settings)


def with_setting(name: str, change: Callable[[Any, Any], Any]) -> Any:
    """Return a fault that changes one named argument; ``change`` gets its value and default."""

    def run(function: Call, arguments: Arguments, settings: Settings) -> Any:
        try:
            found = bind_arguments(function, arguments, settings)
        except TypeError:
            return function(*arguments, **settings)
        if name in found.arguments:
            default = found.signature.parameters[name].default
            found.arguments[name] = change(found.arguments[name], default)
        return function(*found.args, **found.kwargs)

    return run


def dropped(value: Any, default: Any) -> Any:
    """Return the default of an argument, or its value if it has no default."""
    return value if default is inspect.Parameter.empty else default


def next_axis(value: Any, default: Any) -> Any:
    """Subtract 1 from negative axes, so that the last axis becomes the last but one."""
    if isinstance(value, tuple):
        return tuple(next_axis(axis, default) for axis in value)
    return value - 1 if isinstance(value, int) and value < 0 else value


def first_axis(value: Any, default: Any) -> Any:
    """Use only the first of two or more axes."""
    return value[0] if isinstance(value, tuple) and len(value) > 1 else value


def negate(value: Any, default: Any) -> Any:
    """Return the other truth value."""
    return not value if isinstance(value, bool | np.bool_) else value


def without_all_axes(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Drop ``keepdims`` if all axes are reduced at once."""
    try:
        found = bind_arguments(function, arguments, settings)
    except TypeError:
        return function(*arguments, **settings)
    if found.arguments.get("axis") is None and found.arguments.get("keepdims"):
        found.arguments["keepdims"] = False
    return function(*found.args, **found.kwargs)


def changed_indices(change: Callable[[Any, int], Any]) -> Any:
    """Return a fault that changes indices; ``change`` gets integers and the length of the axis."""

    def part_of(index: Any, length: int) -> Any:
        if isinstance(index, np.ndarray) and index.dtype.kind == "i":
            return wrap(change(index.view(np.ndarray), length))
        return int(change(np.asarray(index), length)) if type(index) is int else index

    def run(function: Call, arguments: Arguments, settings: Settings) -> Any:
        x, index, *rest = arguments
        parts = index if isinstance(index, tuple) else (index,)
        axis = settings.get("axis", 0) or 0
        axes = range(axis, x.ndim) if x.ndim else ()
        lengths = [x.shape[n] for n in axes] + [1] * len(parts)
        found = tuple(part_of(part, n) for part, n in zip(parts, lengths, strict=False))
        return function(x, found if isinstance(index, tuple) else found[0], *rest, **settings)

    return run


def same_object(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Return the first argument itself if the result has the same values."""
    y = function(*arguments, **settings)
    x = arguments[0] if arguments else None
    if isinstance(y, np.ndarray) and type(x) is type(y) and bits(x) == bits(y):
        return x
    return y


def bits(x: Any) -> tuple[Any, ...]:
    """Return the dtype, the shape and the bytes of an array, which are equal for equal arrays."""
    return x.dtype.str, x.shape, x.tobytes()


def new_object(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Leave the first argument as it was, and return a new array."""
    first, *rest = arguments
    return function(first.copy(), *rest, **settings)


def of_ties(change: Callable[[Any, int, bool], Any]) -> Any:
    """Return a fault that takes the last of equal elements, by searching in reversed arrays."""

    def run(function: Call, arguments: Arguments, settings: Settings) -> Any:
        x, *rest = arguments
        axis = settings.get("axis")
        host = x.view(np.ndarray)
        y = function(wrap(np.flip(host, axis=axis)), *rest, **settings)
        length = x.size if axis is None else x.shape[axis]
        return change(y, length, settings.get("keepdims", False))

    return run


def other_side(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Search on the other side of equal elements."""
    side = "left" if settings.get("side", "left") == "right" else "right"
    return function(*arguments, **{**settings, "side": side})


def unstable(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Reverse the order of equal elements."""
    x, *rest = arguments
    bound_ = settings.get("axis", rest[0] if rest else -1)
    y = function(wrap(np.flip(x.view(np.ndarray), axis=bound_)), *rest, **settings)
    return x.shape[bound_] - 1 - y if x.ndim else y


def replaced_by(other: str) -> Any:
    """Return a fault that calls another operator of NumPy's arrays."""

    def run(function: Call, arguments: Arguments, settings: Settings) -> Any:
        host = [x.view(np.ndarray) if isinstance(x, np.ndarray) else x for x in arguments]
        return wrap(getattr(np, other)(*host, **settings))

    return run


def halves_away(x: Any) -> Any:
    """Round halves away from zero."""
    return np.trunc(x + np.copysign(0.5, x))


def rounded_scalars(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Round Python numbers to single precision."""
    found = [float(np.float32(x)) if type(x) is float else x for x in arguments]
    return function(*found, **settings)


def truncated(function: Call, arguments: Arguments, settings: Settings) -> Any:
    """Round a quotient to the integer that is nearer to zero."""
    y = function(*arguments, **settings)
    x, divisor = (a.view(np.ndarray) if isinstance(a, np.ndarray) else a for a in arguments)
    return wrap(np.trunc(np.divide(x, divisor)).astype(y.dtype))


def names(text: str) -> frozenset[str]:
    """Split a text into names."""
    return frozenset(text.split())


SKIPPED = names(
    "isdtype result_type can_cast from_dlpack __bool__ __int__ __float__ __index__ backend.admit"
)
"""Functions that return no new arrays."""
RANDOM = names("backend.uniform backend.bernoulli")
"""Functions that draw random numbers."""
VIEWS = names(
    "reshape broadcast_to squeeze expand_dims permute_dims matrix_transpose moveaxis flip T mT "
    "__getitem__ backend.get_item backend.asarray asarray backend.sliding_windows unstack "
    "broadcast_arrays real imag diagonal linalg.diagonal"
)
"""Functions that may return a view of their argument, or the argument itself."""
WRITES = names("__iadd__ __setitem__ backend.iadd backend.scatter_add") | names(
    "__isub__ __imul__ __itruediv__"
)
"""Functions that write to their first argument."""
NEVER_WRITTEN = names("__and__ __or__ argsort backend.argsort searchsorted argpartition sort")
"""Functions whose results DeZero never writes to: bools, indices and the arrays of `topk`."""
SMALL_INDICES = names("argsort searchsorted argpartition count_nonzero sort")
"""Functions whose results may have any integer dtype."""
COMMUTATIVE = names("maximum minimum")
"""Functions in which the order of the arguments only matters for zeros of different signs."""
SUMS = names("sum backend.sum cumulative_sum")
"""Functions in which the standard leaves the sign of a zero open."""
INDEXING = names("__getitem__ take backend.get_item backend.scatter_add take_along_axis")
COMPARISONS = {"__gt__": "greater_equal", "__ge__": "greater", "__lt__": "less_equal"}
COMPARISONS["__le__"] = "less"
REDUCTIONS = names("argmax argmin")


def result(test: Callable[[Any], Any]) -> Callable[[Any, list[Any]], bool]:
    """Return a function that checks whether a test holds for a result of a call."""

    def shows(y: Any, arrays: list[Any]) -> bool:
        parts = y if isinstance(y, list | tuple) else (y,)
        return any(isinstance(part, np.ndarray) and bool(test(part)) for part in parts)

    return shows


def argument(test: Callable[[Any], Any]) -> Callable[[Any, list[Any]], bool]:
    """Return a function that checks whether a test holds for an array argument of a call."""
    return lambda y, arrays: any(bool(test(x)) for x in arrays)


def dtype(name: str) -> Callable[[Any], Any]:
    """Return a test that holds for arrays of a dtype."""
    return lambda x: x.dtype == name


def some(test: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a test of floating-point arrays that holds if it holds for one element."""
    return lambda x: x.dtype.kind == "f" and test(x.view(np.ndarray)).any()


def has_no_axes(x: Any) -> bool:
    """Return whether an array has no axes."""
    return bool(x.ndim == 0)


def is_empty(x: Any) -> bool:
    """Return whether an array has no elements."""
    return bool(x.size == 0)


def is_strided(x: Any) -> bool:
    """Return whether the elements of an array are not consecutive in memory."""
    return not x.flags.c_contiguous


def shapes_differ(y: Any, arrays: list[Any]) -> bool:
    """Return whether the arguments are arrays of different shapes."""
    return len({x.shape for x in arrays}) > 1


FAULTS = [
    Fault(
        "float32 becomes float64",
        in_results(converted("float32", "float64")),
        result(dtype("float32")),
    ),
    Fault(
        "float64 becomes float32",
        in_results(converted("float64", "float32")),
        result(dtype("float64")),
    ),
    Fault(
        "int64 becomes int32",
        in_results(converted("int64", "int32")),
        result(dtype("int64")),
        allowed=SMALL_INDICES,
    ),
    Fault("bool becomes int64", in_results(converted("bool", "int64")), result(dtype("bool"))),
    Fault(
        "float32 has half precision",
        in_results(rounded("float32", "float16")),
        result(dtype("float32")),
    ),
    Fault(
        "float64 has single precision",
        in_results(rounded("float64", "float32")),
        result(dtype("float64")),
    ),
    Fault("Python numbers have single precision", rounded_scalars),
    Fault("NaN results become 0", in_results(replaced(np.isnan, 0.0)), result(some(np.isnan))),
    Fault("NaN arguments count as 0", in_arrays(replaced(np.isnan, 0.0)), argument(some(np.isnan))),
    Fault(
        "infinite results become finite",
        in_results(replaced(np.isinf, 3e38)),
        result(some(np.isinf)),
    ),
    Fault(
        "negative zeros become 0",
        in_results(lose_negative_zero),
        result(some(lambda x: (x == 0) & np.signbit(x))),
        allowed=SUMS,
    ),
    Fault("the last element is lost", in_results(lose_last)),
    Fault("elements move by one position", in_results(shift), allowed=RANDOM),
    Fault(
        "integers are too large by 1", in_results(add_one), result(lambda x: x.dtype.kind in "iu")
    ),
    Fault("results without axes get an axis", in_results(add_axis), result(has_no_axes)),
    Fault("axes of length 1 are lost", in_results(lose_axes), result(lambda x: 1 in x.shape)),
    Fault("empty results lose their shape", in_results(flatten_empty), result(is_empty)),
    Fault("empty arrays are refused", in_arrays(refuse_empty), argument(is_empty)),
    Fault("arrays without axes are refused", in_arrays(refuse_no_axes), argument(has_no_axes)),
    Fault(
        "more than four axes are refused",
        in_arrays(refuse_many_axes),
        argument(lambda x: x.ndim > 4),
    ),
    Fault("strided arrays are refused", in_arrays(refuse_strides), argument(is_strided)),
    Fault("strides are ignored", in_arrays(in_memory_order), argument(is_strided)),
    Fault("different shapes are refused", without_broadcasting, shapes_differ),
    Fault("results have the first shape", broadcast_to_first, shapes_differ),
    Fault("arguments are swapped", swapped, allowed=COMMUTATIVE),
    Fault("negative axes are one too far", with_setting("axis", next_axis), setting="axis"),
    Fault(
        "only the first of several axes counts", with_setting("axis", first_axis), setting="axis"
    ),
    Fault("keepdims is ignored over all axes", without_all_axes, setting="keepdims"),
    *(
        Fault(f"{setting} is ignored", with_setting(setting, dropped), setting=setting)
        for setting in "axis keepdims dtype side k stable descending repeats n copy".split()
    ),
    *(
        Fault(f"{setting} is inverted", with_setting(setting, negate), setting=setting)
        for setting in ("keepdims", "stable", "descending")
    ),
    Fault(
        "negative indices count as 0",
        changed_indices(lambda index, length: np.maximum(index, 0)),
        functions=INDEXING,
    ),
    Fault(
        "negative indices are off by one",
        changed_indices(lambda index, length: np.where(index < 0, index % length - 1, index)),
        functions=INDEXING,
    ),
    Fault(
        "indices beyond the end count as the end",
        changed_indices(lambda index, length: np.minimum(index, length - 1)),
        functions=INDEXING,
    ),
    Fault("the result is the argument itself", same_object, allowed=VIEWS | WRITES | NEVER_WRITTEN),
    Fault("nothing is written", new_object, functions=WRITES),
    Fault(
        "the last of equal elements counts",
        of_ties(lambda y, n, keepdims: n - 1 - y),
        functions=REDUCTIONS,
    ),
    Fault(
        "equal elements change their order", unstable, functions=names("argsort backend.argsort")
    ),
    Fault("the other side is searched", other_side, functions=names("searchsorted")),
    *(
        Fault(f"equality counts as {other}", replaced_by(other), functions=frozenset({name}))
        for name, other in COMPARISONS.items()
    ),
    Fault(
        "the sign of 0 is 1",
        in_results(lambda y: np.where(y == 0, 1, y).astype(y.dtype)),
        functions=names("sign"),
    ),
    Fault("halves are rounded away from 0", in_arrays(halves_away), functions=names("round")),
    Fault("NaN is dropped", replaced_by("fmax"), functions=names("maximum")),
    Fault("NaN is dropped", replaced_by("fmin"), functions=names("minimum")),
    Fault("NaN is dropped", replaced_by("nanmax"), functions=names("max")),
    Fault("NaN is dropped", replaced_by("nanmin"), functions=names("min")),
    Fault("quotients are rounded towards 0", truncated, functions=names("__floordiv__")),
    Fault(
        "remainders have the sign of the dividend", replaced_by("fmod"), functions=names("__mod__")
    ),
]
"""Every fault, in the order of the report."""
