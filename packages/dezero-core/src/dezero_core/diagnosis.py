"""What is wrong with a call: its inputs looked at, once it is known that something is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from .backends.registry import admit, backend_of, by_type
from .errors import BackendMismatch, DezeroError, OutOfMemory, ShapeError, UnsupportedType
from .variable import Scalar, as_array

Function = Any
"""A `dezero_core.function.Function`, which is a floor above."""


def require_one_backend(
    function: Function, inputs: tuple[Any, ...], arrays: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Return the arrays, admitted and of one library; numbers stay weak beside an array.

    Raises:
        BackendMismatch: they are of several libraries.
        UnsupportedType: one is neither an array that `admit` takes nor a number, or has no data.
    """
    taken, owners = list(arrays), set()
    for position, (x, a) in enumerate(zip(inputs, arrays, strict=True)):
        if x is None or isinstance(a, Scalar):
            continue  # left out, such as a bias, or weak
        try:
            taken[position] = admit(a)
            owners.add(backend_of(a).name)
        except UnsupportedType as error:
            raise unsupported(function, position, a, error) from None
    if len(owners) > 1:
        raise mixed(function, arrays)
    return tuple(taken) if owners else tuple([as_array(a) for a in arrays])


def admit_inputs(
    function: Function, inputs: tuple[Any, ...], arrays: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Return arrays of one library admitted; an error names the input."""
    try:
        return tuple([admit(a) for a in arrays])
    except UnsupportedType:
        return require_one_backend(function, inputs, arrays)


def unsupported(
    function: Function, position: int, a: Any, error: UnsupportedType
) -> UnsupportedType:
    """The error for an input that is no array."""
    what = "has no data yet" if a is None else str(error)
    return UnsupportedType(f"{type(function).__name__}: input {position}: {what}")


def require_broadcastable(function: Function, arrays: Sequence[Any]) -> None:
    """Raise `ShapeError` unless the shapes broadcast by NumPy's rule."""
    shapes = [tuple(a.shape) for a in arrays if hasattr(a, "shape")]
    for lengths in zip(*[shape[::-1] for shape in shapes], strict=False):
        if len(set(lengths) - {1}) > 1:
            raise ShapeError(
                f"{type(function).__name__}: shapes {' and '.join(map(str, shapes))} do not "
                "broadcast; axes are matched from the last, and must be equal or 1"
            )


def mixed(function: Function, arrays: Sequence[Any]) -> BackendMismatch:
    """The error for arrays of several libraries or devices in one call."""
    return BackendMismatch(
        f"{type(function).__name__} got {described(arrays)}: one op computes in one library on "
        "one device; move its inputs there first with to(name), to_gpu() or to_cpu()"
    )


def described(arrays: Sequence[Any]) -> str:
    """Types, dtypes, shapes and devices, for messages."""
    return ", ".join(
        f"{type(a).__module__.partition('.')[0]}.{type(a).__name__} {a.dtype} {tuple(a.shape)} "
        f"on {backend_of(a).device(a)}"
        if type(a) in by_type
        else repr(a)
        for a in arrays
    )


def require_memory(function: Function, arrays: Sequence[Any], error: MemoryError) -> None:
    """Raise `OutOfMemory` with the figures of the device that the arrays are on, if it has any."""
    for array in arrays:
        memory = backend_of(array).memory() if type(array) in by_type else None
        if memory is not None:
            raise OutOfMemory(
                f"{type(function).__name__}({described(arrays)}): the device is full: {memory}. "
                "Smaller batches help; no_grad() where nothing is trained; losses kept as "
                "float(loss), not as Variables, which hold their graphs"
            ) from error


def raise_explained(
    function: Function, inputs: tuple[Any, ...], arrays: tuple[Any, ...], error: Exception
) -> NoReturn:
    """Raise our own error where the inputs show what is wrong, else the one that came."""
    require_one_backend(function, inputs, arrays)
    if isinstance(error, MemoryError):
        require_memory(function, arrays, error)
    known = [a for a in arrays if type(a) in by_type]
    if len({str(backend_of(a).device(a)) for a in known}) > 1:
        raise mixed(function, arrays) from error
    if not isinstance(error, DezeroError | MemoryError):  # those have said what is wrong
        function.diagnose(*arrays)
    if not isinstance(error, DezeroError):
        error.add_note(f"in {type(function).__name__}({described(arrays)})")
    raise error
