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
from typing import Any, NamedTuple

import numpy as np

from dezero_core.pointers import address_of, has_layout

from .library import Handle, call, computing, engine, library, one_thread, require_success

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


F4, BYTES = "float32", "uint8"
"""Dtypes of arrays for oneDNN: numbers in C order, and bytes in its internal layouts."""


def covers(*arrays: Any) -> bool:
    """Return whether all are nonempty float32 arrays."""
    return all(
        type(array) is np.ndarray and array.dtype == np.float32 and array.size > 0
        for array in arrays
    )


def contiguous(x: Any) -> Any:
    """Return the array itself, or a copy, as aligned float32 in C order."""
    return x if has_layout(x, F4, x.shape) else np.array(x, F4, order="C", subok=False)


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
    start = -address_of(memory, BYTES, memory.shape) % ALIGNMENT
    return memory[start : start + count]


class Slot(NamedTuple):
    """One argument of a primitive: its layout in oneDNN, and the shape and dtype of its array.

    Attributes:
        layout: the layout that oneDNN reads or writes.
        shape, dtype: those of the array; for an internal layout it is a row of bytes.
        is_output: whether oneDNN writes to it.
    """

    layout: Any
    shape: tuple[int, ...]
    dtype: str = F4
    is_output: bool = False


def bytes_slot(layout: Any, is_output: bool = False) -> Slot:
    """Return the slot of an argument in an internal layout of oneDNN."""
    return Slot(layout, (bytes_of(layout),), BYTES, is_output)


class Primitive:
    """A compiled operation with one slot for each of its arguments.

    Args:
        description: oneDNN's description of the operation.
        slots: slots by the number of the argument, in the order of the arrays in a call.
    """

    def __init__(self, description: Handle, slots: dict[int, Slot]) -> None:
        self.primitive = Handle("primitive", "primitive_create", description)
        self.stream = Handle("stream", "stream_create", engine(), c_int(IN_ORDER))
        self.slots, self.scratch = list(slots.values()), bytes_slot(wanted(description, SCRATCHPAD))
        self.description = description  # owns the layouts
        self.memories = [
            Handle("memory", "memory_create", slot.layout, engine(), c_void_p())
            for slot in (*self.slots, self.scratch)
        ]
        numbers = *slots, SCRATCHPAD
        pairs = zip(numbers, [memory.pointer for memory in self.memories], strict=True)
        self.arguments = (Argument * len(numbers))(*[Argument(*pair) for pair in pairs])
        self.places = [0] * len(slots)  # addresses of the last arrays
        self.set_handle = library().dnnl_memory_set_data_handle
        self.execute = computing().dnnl_primitive_execute

    def __call__(self, *arrays: Any) -> None:
        """Run on arrays in the order of the slots.

        Raises:
            ShapeError, UnsupportedType: an array is not what its slot says.
        """
        for number, (slot, array) in enumerate(zip(self.slots, arrays, strict=True)):
            place = address_of(array, slot.dtype, slot.shape, writable=slot.is_output)
            if place != self.places[number]:
                self.put(self.memories[number], place)
                self.places[number] = place
        if self.scratch.shape != (0,):
            scratch = room(*self.scratch.shape)  # lives until the call returns
            place = address_of(scratch, BYTES, self.scratch.shape, writable=True)
            self.put(self.memories[-1], place)
        arguments = len(self.arguments), self.arguments
        status = self.execute(self.primitive.pointer, self.stream.pointer, *arguments)
        require_success("primitive_execute", status)

    def put(self, memory: Handle, place: int) -> None:
        """Tell an argument where its array is."""
        require_success("memory_set_data_handle", self.set_handle(memory.pointer, place))


class Operand:
    """An argument in C order, and in the layout that the operation requires.

    Args:
        shape: the shape of the array in C order.
        given: the layout of that array in oneDNN.
        wanted: the layout that the operation requires.
        is_output: whether the operation writes to it.

    Attributes:
        slot: the slot of the argument that the operation gets.
    """

    def __init__(self, shape: tuple[int, ...], given: Handle, wanted: Any, is_output: bool) -> None:
        self.slot = Slot(wanted, shape, F4, is_output)
        self.reorder: Primitive | None = None
        if not library().dnnl_memory_desc_equal(given, wanted):
            self.slot = bytes_slot(wanted, is_output)
            ends = [Slot(given, shape, F4, is_output), bytes_slot(wanted, not is_output)]
            source, target = reversed(ends) if is_output else ends
            description = described("reorder", source.layout, engine(), target.layout, engine())
            self.reorder = Primitive(description, {SRC: source, DST: target})

    def taken(self, array: Any) -> Any:
        """An input as the operation wants it."""
        if self.reorder is None:
            return array
        reordered = room(*self.slot.shape)
        self.reorder(array, reordered)
        return reordered

    def same_as(self, other: Operand) -> bool:
        """Whether what one has taken serves the other too."""
        return bool(library().dnnl_memory_desc_equal(self.slot.layout, other.slot.layout))

    def place(self, array: Any) -> Any:
        """Where the operation shall write an output."""
        return array if self.reorder is None else room(*self.slot.shape)

    def give(self, result: Any, array: Any) -> None:
        """Bring an output from its place to the array it belongs in."""
        if self.reorder is not None:
            self.reorder(result, array)


class Operation:
    """A primitive called with arrays in C order, whatever it wants itself.

    Args:
        description: of the primitive.
        inputs: the shape and layout of each input array, by the number of the argument.
        output: the number of the result, its shape and its layout.
    """

    def __init__(
        self, description: Handle, inputs: dict[int, Given], output: tuple[int, Given]
    ) -> None:
        self.inputs = [
            Operand(*given, wanted(description, number), False) for number, given in inputs.items()
        ]
        number, given = output
        self.output = Operand(*given, wanted(description, number), True)
        slots = [operand.slot for operand in (*self.inputs, self.output)]
        self.primitive = Primitive(description, dict(zip((*inputs, number), slots, strict=True)))

    def __call__(self, y: Any, *inputs: Any) -> None:
        """Write to ``y`` what comes of arrays, in the order of the arguments."""
        self.run(y, *[operand.taken(x) for operand, x in zip(self.inputs, inputs, strict=True)])

    def run(self, y: Any, *inputs: Any) -> None:
        """The same, of what `Operand.taken` has made of the arrays."""
        place = self.output.place(y)
        self.primitive(*inputs, place)
        self.output.give(place, y)


Given = tuple[tuple[int, ...], Handle]
"""The shape of an array in C order, and its layout as oneDNN sees it."""


def c_order(shape: tuple[int, ...], seen_as: tuple[int, ...] | None = None) -> Given:
    """Describe an array in C order for oneDNN, which may use the other axes ``seen_as``."""
    return shape, layout(seen_as or shape)


class ForEachThread(threading.local):
    """A cache of operations, one per thread, because they store the arrays of their last call.

    Args:
        make: creates an operation from shapes and settings; the 256 last used ones are cached.

    Operations are created on one OpenMP thread. oneDNN computes while it compiles, and a forked
    child does not have OpenMP's threads: it would wait for them for ever.
    """

    def __init__(self, make: Callable[..., Any]) -> None:
        def make_alone(*sizes: Any) -> Any:
            with one_thread():
                return make(*sizes)

        self.made = lru_cache(256)(make_alone)

    def __call__(self, *sizes: Any) -> Any:
        """That of these sizes, made now if there is none."""
        return self.made(*sizes)
