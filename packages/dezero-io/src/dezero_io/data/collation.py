"""Stack examples into one batch; the parts of tuples and dictionaries are stacked separately."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import ArgumentError, ShapeError

from .host_arrays import host_array

Indices = Sequence[int] | NDArray[Any]
"""The indices of examples in a dataset."""

REMEDY = "make the examples alike in a transform, or pass a collate_fn to the loader"
PAIRS = "; TensorDataset(x, t) makes pairs of the rows of two arrays"


def collate(examples: Sequence[Any], indices: Indices, part: str = "") -> Any:
    """Stack examples along a new first axis, separately for each tuple item or dictionary key.

    If the examples are tuples, lists or dictionaries, the batch has the same type, and each part of
    the batch is an array. A tuple or list of plain numbers inside an example becomes a vector.
    Arrays, numbers and strings are stacked by NumPy's rules: float32 stays float32, and Python
    integers become int64. A part that is None in every example is None in the batch.

    Args:
        examples: the examples, at least one.
        indices: the indices of the examples in the dataset, for error messages.
        part: the position of the values in each example, such as ``"[0]['image']"``; empty for
            whole examples.

    Raises:
        ShapeError: the shapes of two arrays differ.
        ArgumentError: examples differ in type, length or keys, or contain anything but numbers and
            strings.
    """
    first = examples[0]
    if isinstance(first, Mapping):
        keys = [x.keys() if isinstance(x, Mapping) else None for x in examples]
        require_alike(keys, describe_container, examples, indices, part)
        require_parts(first, indices, part)
        return {
            key: collate([example[key] for example in examples], indices, f"{part}[{key!r}]")
            for key in first
        }
    if isinstance(first, tuple | list) and not (part and is_vector(first)):
        lengths = [len(x) if type(x) is type(first) else None for x in examples]
        require_alike(lengths, describe_container, examples, indices, part)
        require_parts(first, indices, part)
        columns = zip(*examples, strict=True)
        return rebuild(
            first, [collate(xs, indices, f"{part}[{i}]") for i, xs in enumerate(columns)]
        )
    if part and all(example is None for example in examples):
        return None
    return stack(examples, indices, part)


def stack(examples: Sequence[Any], indices: Indices, part: str) -> Any:
    """Stack values of equal shapes into one array, with NumPy's type promotion."""
    if are_alike(examples):
        stacked = np.array(examples)
        if stacked.dtype.kind != "O":  # integers too large for NumPy give dtype "O"
            return stacked
    is_other = [x is None or isinstance(x, Mapping) for x in examples]
    require_alike(is_other, describe_container, examples, indices, part)
    arrays = [
        host_array(f"DataLoader: {name_of(i, part)}", x)
        for i, x in zip(indices, examples, strict=True)
    ]
    require_alike([kind_of(x) for x in arrays], kind_of, arrays, indices, part)
    require_alike([x.shape for x in arrays], describe_shape, arrays, indices, part, ShapeError)
    return np.array(arrays)


def are_alike(examples: Sequence[Any]) -> bool:
    """Return whether NumPy can stack the values without further checks, as in most batches."""
    kinds = set(map(type, examples))
    if kinds == {np.ndarray}:
        dtype, shape = examples[0].dtype, examples[0].shape
        if dtype.kind in "biufc" and dtype.isnative:
            return all(x.dtype == dtype and x.shape == shape for x in examples)
    return len(kinds) == 1 and issubclass(type(examples[0]), int | float | np.number)


def require_alike(
    properties: list[Any],
    describe: Callable[[Any], str],
    examples: Sequence[Any],
    indices: Indices,
    part: str,
    error: type[ValueError] = ArgumentError,
) -> None:
    """Raise ``error`` and name two examples, unless all ``properties`` are equal."""
    for i, value in enumerate(properties):
        if value != properties[0]:
            raise error(
                f"DataLoader: {name_of(indices[i], part)} is {describe(examples[i])}, "
                f"{name_of(indices[0], part)} is {describe(examples[0])}; {REMEDY}"
                + (PAIRS if error is ShapeError else "")
            )


def require_parts(example: Collection[Any], indices: Indices, part: str) -> None:
    """Check that an example is not an empty tuple, list or dictionary, which cannot be stacked."""
    if not example:
        raise ArgumentError(f"DataLoader: {name_of(indices[0], part)} is empty: {example!r}")


def name_of(index: int, part: str) -> str:
    """Return the name of an example, or of a part of it."""
    return f"part {part} of example {index}" if part else f"example {index}"


def describe_container(x: object) -> str:
    """Describe an example by its type and contents."""
    if isinstance(x, Mapping):
        return f"a dictionary with keys {', '.join(map(repr, x))}"
    if isinstance(x, tuple | list):
        return f"a {type(x).__name__} of {len(x)}"
    return "None" if x is None else f"a value of type {type(x).__name__}"


def kind_of(x: NDArray[Any]) -> str:
    """Describe an element of an array: text, a date, a time or a number."""
    return {"U": "text", "M": "a date", "m": "a time"}.get(x.dtype.kind, "a number")


def describe_shape(x: NDArray[Any]) -> str:
    """Describe an array by its shape."""
    return f"an array of shape {x.shape}"


def is_vector(x: object) -> bool:
    """Return whether a tuple or list holds plain numbers or strings, perhaps nested."""
    if isinstance(x, tuple | list):
        return not hasattr(x, "_fields") and all(is_vector(element) for element in x)
    return isinstance(x, bool | int | float | complex | str | np.generic)


def rebuild(container: Sequence[Any], parts: list[Any]) -> Any:
    """Return the parts in a new tuple, named tuple or list of the same type as ``container``."""
    if hasattr(container, "_fields"):
        return type(container)(*parts)
    return parts if isinstance(container, list) else tuple(parts)


def map_arrays(function: Callable[[Any], Any], batch: Any) -> Any:
    """Apply ``function`` to every array of numbers in a batch; leave the rest unchanged."""

    def mapped(x: Any) -> Any:
        return function(x) if isinstance(x, np.ndarray) and x.dtype.kind in "biufc" else x

    return map_leaves(mapped, batch)


def map_leaves(function: Callable[[Any], Any], batch: Any) -> Any:
    """Apply ``function`` to everything in a batch except dictionaries, tuples and lists."""
    if isinstance(batch, Mapping):
        return {key: map_leaves(function, part) for key, part in batch.items()}
    if isinstance(batch, tuple | list):
        return rebuild(batch, [map_leaves(function, part) for part in batch])
    return function(batch)


def examples_of(dataset: Any, indices: Indices) -> list[Any]:
    """Return the examples at ``indices``; an error message names the example that failed."""
    examples = []
    for i in indices:
        try:
            examples.append(dataset[int(i)])
        except StopIteration as error:  # uncaught, StopIteration would end the loop
            raise RuntimeError(f"DataLoader: example {i} raised StopIteration") from error
        except Exception as error:
            with suppress(Exception):  # `add_note` fails for some exception classes
                error.add_note(f"DataLoader: this was example {i} of the dataset")
            raise
    return examples
