"""One oneDNN operation for one set of shapes: compiled once, then called with arrays.

oneDNN computes fastest in other memory layouts (channels in blocks of 16 or last, filters in
tiles). It is asked for the operation with layouts left open, and says which it wants; arrays are
reordered on the way in and out where theirs is another:

      x, C order  -- reorder -->  x, blocked  --+
                                                +-- operation -->  y, blocked  -- reorder -->  y
      W, C order  -- reorder -->  W, tiled    --+
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable
from ctypes import c_int, c_int64, c_void_p
from functools import lru_cache
from typing import Any

import numpy as np

from .library import Handle, call, computing, engine, library, require_success

FLOAT32, ANY_LAYOUT, SCRATCHPAD_BY_CALLER, IN_ORDER = 3, 1, 1, 1
SRC, DST, WEIGHTS, BIAS, WORKSPACE, SCRATCHPAD = 1, 17, 33, 41, 64, 80
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS, DIFF_BIAS = 129, 145, 161, 169
"""oneDNN's numbers of the arguments of an operation."""

TRAINING, INFERENCE = 64, 96
"""Its words for a forward pass that a backward follows, and for one by itself."""

LAYOUT_OF_ARGUMENT = 255
"""And for the question which layout an operation wants of an argument."""

ALIGNMENT = 64
"""Bytes of a line of the cache."""


class Argument(ctypes.Structure):
    """An argument's number, and the memory it is in."""

    _fields_ = (("number", c_int), ("memory", c_void_p))


def covers(*arrays: Any) -> bool:
    """Whether all are arrays of float32 that hold something."""
    return all(
        type(array) is np.ndarray and array.dtype == np.float32 and array.size > 0
        for array in arrays
    )


def integers(values: Any) -> Any:
    """A C array of 64-bit integers."""
    return (c_int64 * len(values))(*values)


def layout(shape: tuple[int, ...], strides: tuple[int, ...] | None = None) -> Handle:
    """Float32 in C order, or with strides counted in elements."""
    if strides is None:
        strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    sizes = len(shape), integers(shape), c_int(FLOAT32)
    return Handle("memory_desc", "memory_desc_create_with_strides", *sizes, integers(strides))


def channels_last(shape: tuple[int, ...]) -> Handle:
    """Images (N, C, H, W) of float32, with all channels of a place side by side."""
    _, C, H, W = shape
    return layout(shape, (C * H * W, 1, W * C, C))


def open_layout(shape: tuple[int, ...]) -> Handle:
    """Float32 as oneDNN likes it."""
    sizes = len(shape), integers(shape), c_int(FLOAT32)
    return Handle("memory_desc", "memory_desc_create_with_tag", *sizes, c_int(ANY_LAYOUT))


def described(operation: str, *arguments: Any) -> Handle:
    """What an operation will do, its temporary memory given with each call."""
    attributes = Handle("primitive_attr", "primitive_attr_create")
    call("primitive_attr_set_scratchpad_mode", attributes, c_int(SCRATCHPAD_BY_CALLER))
    create = f"{operation}_primitive_desc_create"
    return Handle("primitive_desc", create, *arguments, attributes)


def wanted(description: Handle, argument: int) -> c_void_p:
    """The layout that an operation wants of an argument; lives as long as its description."""
    query = c_int(LAYOUT_OF_ARGUMENT), c_int(argument)
    return c_void_p(library().dnnl_primitive_desc_query_md(description, *query))


def bytes_of(layout: Any) -> int:
    """How much memory an array in this layout takes."""
    return int(library().dnnl_memory_desc_get_size(layout))


def room(count: int) -> Any:
    """So many bytes, uninitialised, that start with a line of the cache."""
    memory = np.empty(count + ALIGNMENT, np.uint8)
    start = -address(memory) % ALIGNMENT
    return memory[start : start + count]


def address(array: Any) -> int:
    """Where an array's first element is."""
    return int(array.__array_interface__["data"][0])


class Primitive:
    """A compiled operation, with a place for each of its arguments."""

    def __init__(self, description: Handle, layouts: dict[int, Any]) -> None:
        self.primitive = Handle("primitive", "primitive_create", description)
        self.stream = Handle("stream", "stream_create", engine(), c_int(IN_ORDER))
        self.layouts = {**layouts, SCRATCHPAD: wanted(description, SCRATCHPAD)}
        self.scratch = bytes_of(self.layouts[SCRATCHPAD])
        self.description = description  # owns the layouts
        self.memories = [
            Handle("memory", "memory_create", each, engine(), c_void_p())
            for each in self.layouts.values()
        ]
        pairs = zip(self.layouts, [memory.pointer for memory in self.memories], strict=True)
        self.arguments = (Argument * len(self.layouts))(*[Argument(*pair) for pair in pairs])
        self.places = [0] * len(layouts)  # where the arrays of the last call were
        self.set_handle = library().dnnl_memory_set_data_handle
        self.execute = computing().dnnl_primitive_execute

    def __call__(self, *arrays: Any) -> None:
        """Run on arrays in the order of the layouts."""
        scratch = room(self.scratch) if self.scratch else None
        for number, (memory, array) in enumerate(zip(self.memories, arrays, strict=False)):
            place = address(array)
            if place != self.places[number]:
                self.put(memory, place)
                self.places[number] = place
        if scratch is not None:
            self.put(self.memories[-1], address(scratch))
        arguments = len(self.arguments), self.arguments
        status = self.execute(self.primitive.pointer, self.stream.pointer, *arguments)
        require_success("primitive_execute", status)

    def put(self, memory: Handle, place: int) -> None:
        """Tell an argument where its array is."""
        require_success("memory_set_data_handle", self.set_handle(memory.pointer, place))


class Operand:
    """An argument in C order, and as the operation wants it."""

    def __init__(self, given: Handle, wanted: Any, is_output: bool) -> None:
        self.layout, self.bytes = wanted, bytes_of(wanted)
        self.reorder: Primitive | None = None
        if not library().dnnl_memory_desc_equal(given, wanted):
            source, target = (wanted, given) if is_output else (given, wanted)
            description = described("reorder", source, engine(), target, engine())
            self.reorder = Primitive(description, {SRC: source, DST: target})

    def taken(self, array: Any) -> Any:
        """An input as the operation wants it."""
        if self.reorder is None:
            return array
        reordered = room(self.bytes)
        self.reorder(array, reordered)
        return reordered

    def same_as(self, other: Operand) -> bool:
        """Whether what one has taken serves the other too."""
        return bool(library().dnnl_memory_desc_equal(self.layout, other.layout))

    def place(self, array: Any) -> Any:
        """Where the operation shall write an output."""
        return array if self.reorder is None else room(self.bytes)

    def give(self, result: Any, array: Any) -> None:
        """Bring an output from its place to the array it belongs in."""
        if self.reorder is not None:
            self.reorder(result, array)


class Operation:
    """A primitive called with arrays in C order, whatever it wants itself.

    Args:
        description: of the primitive.
        inputs: by the number of the argument, the layout in which arrays will come.
        output: the number of the result, and its layout.
    """

    def __init__(
        self, description: Handle, inputs: dict[int, Handle], output: tuple[int, Handle]
    ) -> None:
        self.inputs = [
            Operand(given, wanted(description, number), False) for number, given in inputs.items()
        ]
        number, given = output
        self.output = Operand(given, wanted(description, number), True)
        layouts = [operand.layout for operand in (*self.inputs, self.output)]
        self.primitive = Primitive(description, dict(zip((*inputs, number), layouts, strict=True)))

    def __call__(self, y: Any, *inputs: Any) -> None:
        """Write to ``y`` what comes of arrays, in the order of the arguments."""
        self.run(y, *[operand.taken(x) for operand, x in zip(self.inputs, inputs, strict=True)])

    def run(self, y: Any, *inputs: Any) -> None:
        """The same, of what `Operand.taken` has made of the arrays."""
        place = self.output.place(y)
        self.primitive(*inputs, place)
        self.output.give(place, y)


class ForEachThread(threading.local):
    """What makes operations, each for one thread: they remember the arrays of their last call.

    Args:
        make: from shapes and settings. Of the latest used 256 are kept.
    """

    def __init__(self, make: Callable[..., Any]) -> None:
        self.made = lru_cache(256)(make)

    def __call__(self, *sizes: Any) -> Any:
        """That of these sizes, made now if there is none."""
        return self.made(*sizes)
