"""Explain a failed call by inspecting its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from .arguments import AxisLike, as_axes, normalize_axes
from .backends.interface import Array, unsupported_dtype
from .backends.registry import backend_of, by_type
from .errors import (
    NONE_IS_NO_ARRAY,
    ArgumentTypeError,
    BackendMismatch,
    DezeroError,
    GraphError,
    OutOfMemory,
    ShapeError,
    UnsupportedType,
)
from .hints import signature_of
from .variable import Variable, as_array, label_of

Function = Any
"""The type `dezero_core.function.Function`; importing it here would be a circular import."""


def require_one_backend(
    function: Function, inputs: tuple[Any, ...], arrays: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Check that all arrays are of one library, and return the inputs as supported arrays.

    Python numbers stay Python numbers, because arrays of them would affect the dtype of the result.
    If there is no array, the numbers are converted to arrays.

    Raises:
        BackendMismatch: the arrays are of different libraries.
        UnsupportedType: an input is neither a number nor a supported array, or has no data.
    """
    taken, owners = list(arrays), set()
    for position, (x, a) in enumerate(zip(inputs, arrays, strict=True)):
        if x is None or isinstance(x, int | float):
            continue  # an omitted input, such as a bias, or a Python number
        try:
            if isinstance(a, complex):
                raise unsupported_dtype("complex")
            backend = backend_of(a)
            taken[position] = backend.admit(a)
            owners.add(backend.name)
        except UnsupportedType as error:
            reason = "has no data yet" if a is None else str(error)
            part = "the data of " if isinstance(x, Variable) and a is not None else ""
            message = f"{type(function).__name__}: {part}input {position}: {reason}"
            raise UnsupportedType(message) from None
    if len(owners) > 1:
        raise mixed_arrays_error(function, arrays)
    return tuple(taken) if owners else tuple([as_array(a) for a in arrays])


def require_inputs(function: Function, inputs: tuple[Any, ...], error: Exception) -> None:
    """Raise `UnsupportedType` if a call failed because an input that it needs is None."""
    position = next((i for i, x in enumerate(inputs) if x is None), None)
    if position is None:
        return
    forward = str(signature_of(type(function).forward))
    is_needed = "Array" in forward and "None" not in forward  # if False, an input may be omitted
    if is_needed or "NoneType" in str(error):
        raise UnsupportedType(f"{type(function).__name__}: input {position}: {NONE_IS_NO_ARRAY}")


def admit_inputs(
    function: Function, inputs: tuple[Any, ...], arrays: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Return the inputs as supported arrays, or raise an error that names the invalid input."""
    try:
        return tuple([backend_of(a).admit(a) for a in arrays])
    except UnsupportedType:
        return require_one_backend(function, inputs, arrays)


def admit_output(function: Function, y: Any) -> Any:
    """Return the result of ``forward`` as a supported array; raise an error that names the op."""
    try:
        return backend_of(y).admit(y)
    except UnsupportedType as error:
        raise UnsupportedType(
            f"{type(function).__name__}.forward returned {type(y).__name__}: {error}"
        ) from None


def shape_of(array: object) -> tuple[int, ...]:
    """Return the shape of an array; () for a scalar or None."""
    return tuple(getattr(array, "shape", ()))


def broadcast_shape(*shapes: Sequence[int]) -> tuple[int, ...] | None:
    """Return the shape that ``shapes`` broadcast to, or None if they do not broadcast."""
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes]
    lengths = [set(axis) - {1} or {1} for axis in zip(*padded, strict=True)]
    fits = all(len(length) == 1 for length in lengths)
    return tuple([length.pop() for length in lengths]) if fits else None


def require_broadcastable(function: Function, arrays: Sequence[Any]) -> None:
    """Raise `ShapeError` unless the shapes broadcast by NumPy's rule."""
    shapes = [tuple(a.shape) for a in arrays if hasattr(a, "shape")]
    if shapes and broadcast_shape(*shapes) is None:
        raise ShapeError(
            f"{type(function).__name__}: shapes {' and '.join(map(str, shapes))} do not "
            "broadcast; axes are matched from the last, and must be equal or 1"
        )


def positions_of(axis: AxisLike, ndim: int) -> tuple[int, ...] | None:
    """Return axes as nonnegative integers, or None if an axis does not exist or is repeated."""
    try:
        return normalize_axes("", as_axes("", axis), ndim)
    except (ArgumentTypeError, ShapeError):
        return None


def require_axes(
    function: Function,
    axis: AxisLike,
    shape: Sequence[int],
    elements: bool,
    advice: str = ": axes must exist, each named once",
) -> None:
    """Raise `ShapeError` if an axis of the input does not exist or is repeated.

    With ``elements``, also raise if there are no elements along the axes. ``advice`` is the end of
    the message about a missing or repeated axis.
    """
    axes = positions_of(axis, len(shape))
    message = f"{type(function).__name__}: axis {axis} for shape {tuple(shape)}"
    if axes is None:
        raise ShapeError(f"{message}{advice}")
    if elements and any(shape[a] == 0 for a in axes):
        raise ShapeError(f"{message}: there are no elements along it")


def mixed_arrays_error(function: Function, arrays: Sequence[Any]) -> BackendMismatch:
    """Return the error for inputs of different libraries or on different devices."""
    return BackendMismatch(
        f"{type(function).__name__} got {describe(arrays)}: an op needs arrays of one "
        "library on one device; move its inputs first with to(name), to_gpu() or to_cpu()"
    )


def describe(arrays: Sequence[Any]) -> str:
    """Describe arrays by type, dtype, shape and device, for messages."""
    return ", ".join(
        f"{type(a).__module__.partition('.')[0]}.{type(a).__name__} {a.dtype} {tuple(a.shape)} "
        f"on {backend_of(a).device(a)}"
        if type(a) in by_type
        else repr(a)
        for a in arrays
    )


def is_beside(x: Array, array: Array) -> bool:
    """Return whether two arrays have the same shape, library and device."""
    backend = backend_of(array)
    is_alike = getattr(x, "shape", None) == array.shape and backend_of(x) is backend
    return is_alike and bool(backend.device(x) == backend.device(array))


def require_recorded(y: Variable, array: Array, result: Any) -> None:
    """Raise `GraphError` if the data of ``y`` has another shape, library or device than ``result``.

    ``array`` is the current data of ``y``, or the data that a later call read. ``result`` is the
    result of the call that computed ``y``, or None if the call was freed.
    """
    recorded = result[y._index or 0] if isinstance(result, tuple) else result
    if recorded is not None and recorded is not array and not is_beside(array, recorded):
        raise replaced(y, recorded)


def replaced(x: Variable, array: Array) -> GraphError:
    """Return the error for a Variable whose new data does not fit the recorded calls."""
    return GraphError(
        f"backward: the data of a Variable{label_of(x)} was replaced after it was used: it was "
        f"{describe([array])}, and is {describe([x.data])}; compute the result again, or call "
        "backward() before the change"
    )


def require_memory(function: Function, arrays: Sequence[Any], error: MemoryError) -> None:
    """Raise `OutOfMemory` with the device's memory statistics, if the backend reports them."""
    for array in arrays:
        memory = backend_of(array).memory() if type(array) in by_type else None
        if memory is not None:
            raise OutOfMemory(
                f"{type(function).__name__}({describe(arrays)}): the device is full: {memory}. "
                "Smaller batches help, no_grad() where nothing is trained, and storing "
                "float(loss) instead of loss, which keeps its graph alive"
            ) from error


EXPLAINABLE = (ValueError, TypeError, IndexError, AttributeError, RuntimeError, OverflowError)
"""Exceptions that array libraries raise for invalid inputs."""

NOT_ABOUT_INPUTS = (RecursionError, NotImplementedError)
"""Subclasses of `EXPLAINABLE` exceptions that invalid inputs do not cause."""


def raise_explained(
    function: Function, inputs: tuple[Any, ...], arrays: tuple[Any, ...], error: Exception
) -> NoReturn:
    """Raise a `DezeroError` if the inputs show what is wrong, else the original error.

    Recursion errors, floating-point errors, and warnings that are raised as errors stay unchanged,
    because invalid inputs do not cause them. A ``MemoryError`` becomes `OutOfMemory` if the backend
    reports memory statistics.
    """
    if isinstance(error, MemoryError):
        require_memory(function, arrays, error)
    elif isinstance(error, EXPLAINABLE) and not isinstance(error, NOT_ABOUT_INPUTS):
        try:
            require_one_backend(function, inputs, arrays)
            require_inputs(function, inputs, error)
            known = [a for a in arrays if type(a) in by_type]
            if len({str(backend_of(a).device(a)) for a in known}) > 1:
                raise mixed_arrays_error(function, arrays)
            if not isinstance(error, DezeroError):  # a DezeroError already says what is wrong
                type(function).diagnose(function, *arrays)
        except Exception as explanation:
            raise explanation from error
    if not isinstance(error, DezeroError):
        add_note(error, f"in {type(function).__name__}({describe(arrays)})")
    raise error


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an error, if the error accepts notes (a frozen dataclass does not)."""
    with suppress(Exception):
        error.add_note(note)
