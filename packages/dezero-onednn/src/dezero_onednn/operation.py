"""Compile a oneDNN operation for one set of shapes, then call it with arrays.

oneDNN is fastest in its own memory layouts (images with channels last or in blocks of 16, filters
in tiles). An operation is compiled without fixed layouts, and oneDNN chooses the layouts it
requires. Inputs and outputs in other layouts are reordered before and after the call:

      x, C order  -- reorder -->  x, blocked  --+
                                                +-- operation -->  y, blocked  -- reorder -->  y
      W, C order  -- reorder -->  W, tiled    --+
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from ctypes import c_int, c_void_p
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .layouts import BYTES, F4, Layout, Shape, aligned_bytes, layout, required_layout, size_in_bytes
from .library import Handle, call, engine, execute, library, one_thread, require_success
from .pointers import address_of

SCRATCHPAD_BY_CALLER, IN_ORDER, TRAINING = 1, 1, 64
SRC, DST, WEIGHTS, BIAS, WORKSPACE, SCRATCHPAD = 1, 17, 33, 41, 64, 80
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS = 129, 145, 161
"""oneDNN's indices of the arguments of an operation."""


class CArgument(ctypes.Structure):
    """The index of an argument and its memory: oneDNN's ``dnnl_exec_arg_t``."""

    _fields_ = (("number", c_int), ("memory", c_void_p))


def describe(operation: str, *arguments: Any) -> Handle:
    """Return the primitive descriptor of an operation; each call must pass scratch memory."""
    attributes = Handle("primitive_attr", "primitive_attr_create")
    call("primitive_attr_set_scratchpad_mode", attributes, c_int(SCRATCHPAD_BY_CALLER))
    return Handle("primitive_desc", f"{operation}_primitive_desc_create", *arguments, attributes)


class Slot(NamedTuple):
    """An argument of a primitive: its layout in oneDNN, and its shape and dtype in NumPy.

    Attributes:
        layout: the layout that oneDNN reads or writes.
        shape, dtype: the shape and dtype of the NumPy array; for an internal layout, the array is
            one-dimensional uint8.
        is_output: whether oneDNN writes to the array.
    """

    layout: Layout
    shape: Shape
    dtype: str
    is_output: bool


def bytes_slot(layout: Layout, is_output: bool) -> Slot:
    """Return the slot of an argument in one of oneDNN's internal layouts."""
    return Slot(layout, (size_in_bytes(layout),), BYTES, is_output)


class Primitive:
    """A compiled operation with one slot for each of its arguments.

    Args:
        description: oneDNN's primitive descriptor.
        slots: a dictionary from argument indices to slots, in the order of the arrays in a call.
    """

    def __init__(self, description: Handle, slots: dict[int, Slot]) -> None:
        self.description = description  # also owns the layouts of the slots
        self.primitive = Handle("primitive", "primitive_create", description)
        self.stream = Handle("stream", "stream_create", engine(), c_int(IN_ORDER))
        self.slots = list(slots.values())
        self.scratch = bytes_slot(required_layout(description, SCRATCHPAD), True)
        self.memories = [
            Handle("memory", "memory_create", slot.layout, engine(), c_void_p())
            for slot in (*self.slots, self.scratch)
        ]
        numbers = *slots, SCRATCHPAD
        pairs = zip(numbers, [memory.pointer for memory in self.memories], strict=True)
        self.arguments = (CArgument * len(numbers))(*[CArgument(*pair) for pair in pairs])
        self.addresses = [0] * len(numbers)  # the arrays of the last call

    def __call__(self, *arrays: np.ndarray) -> None:
        """Run the primitive on arrays, given in the order of the slots.

        Raises:
            ShapeError, UnsupportedType: an array does not fit its slot.
        """
        for number, (slot, array) in enumerate(zip(self.slots, arrays, strict=True)):
            self.set_array(number, slot, array)
        if self.scratch.shape != (0,):
            scratch = aligned_bytes(*self.scratch.shape)  # must stay alive during the call
            self.set_array(len(arrays), self.scratch, scratch)
        arguments = len(self.arguments), self.arguments
        status = execute()(self.primitive.pointer, self.stream.pointer, *arguments)
        require_success("primitive_execute", status)

    def set_array(self, number: int, slot: Slot, array: np.ndarray) -> None:
        """Pass an array's address to oneDNN, unless it is the same as in the last call."""
        address = address_of(array, slot.dtype, slot.shape, writable=slot.is_output)
        if address != self.addresses[number]:
            set_handle = library().dnnl_memory_set_data_handle
            status = set_handle(self.memories[number].pointer, address)
            require_success("memory_set_data_handle", status)
            self.addresses[number] = address


class ArraySpec(NamedTuple):
    """The specification of an array that the caller passes.

    Attributes:
        shape: the shape of the array in C order.
        layout: oneDNN's descriptor of the layout, or None for bytes in an internal layout.
        starts_at_zero: whether to fill the array with zeros first, because the operation adds to
            the array.
    """

    shape: Shape
    layout: Handle | None
    starts_at_zero: bool = False


INTERNAL = ArraySpec((), None)
"""The specification of an array that only oneDNN reads, such as a workspace."""


def c_order(shape: Shape, seen_as: Shape | None = None) -> ArraySpec:
    """Describe an array in C order to oneDNN, with the shape ``seen_as`` if one is given."""
    return ArraySpec(shape, layout(seen_as or shape))


class Operand:
    """An argument of an operation, reordered if the caller's layout is not the required one.

    Attributes:
        slot: the slot of the argument in the layout that the operation requires.
        is_internal: whether only oneDNN reads and writes the argument.
    """

    def __init__(self, spec: ArraySpec, required: c_void_p, is_output: bool) -> None:
        shape, layout, self.starts_at_zero = spec
        self.is_internal = layout is None
        self.slot = bytes_slot(required, is_output)
        self.reorder: Primitive | None = None
        if layout is None:
            return
        ours = Slot(layout, shape, F4, is_output)
        if library().dnnl_memory_desc_equal(layout, required):
            self.slot = ours._replace(layout=required)
            return
        theirs = bytes_slot(required, not is_output)
        source, target = (theirs, ours) if is_output else (ours, theirs)
        description = describe("reorder", source.layout, engine(), target.layout, engine())
        self.reorder = Primitive(description, {SRC: source, DST: target})

    def has_layout_of(self, other: Operand) -> bool:
        """Return whether an array that was reordered for ``other`` fits this operand too."""
        return bool(library().dnnl_memory_desc_equal(self.slot.layout, other.slot.layout))

    def buffer(self, array: np.ndarray) -> np.ndarray:
        """Return the array itself, or a new buffer if the array must be reordered."""
        return array if self.reorder is None else aligned_bytes(*self.slot.shape)

    def read(self, array: np.ndarray) -> np.ndarray:
        """Return an input in the layout that the operation requires."""
        buffer = self.buffer(array)
        if self.reorder is not None:
            self.reorder(array, buffer)
        return buffer

    def write(self, buffer: np.ndarray, array: np.ndarray) -> None:
        """Copy an output from its buffer to the caller's array."""
        if self.reorder is not None:
            self.reorder(buffer, array)


class Operation:
    """A primitive that is called with arrays in the caller's layouts.

    Args:
        description: oneDNN's primitive descriptor.
        inputs, outputs: dictionaries from argument indices to specifications of the arrays, in the
            order of the arrays in a call.
    """

    def __init__(
        self, description: Handle, inputs: dict[int, ArraySpec], outputs: dict[int, ArraySpec]
    ) -> None:
        self.inputs, self.outputs = (
            [
                Operand(spec, required_layout(description, number), is_output)
                for number, spec in arguments.items()
            ]
            for arguments, is_output in ((inputs, False), (outputs, True))
        )
        slots = [operand.slot for operand in (*self.inputs, *self.outputs)]
        numbers = *inputs, *outputs
        self.primitive = Primitive(description, dict(zip(numbers, slots, strict=True)))

    def __call__(self, outputs: Sequence[np.ndarray], *inputs: np.ndarray) -> None:
        """Compute from the inputs, and write the results to the arrays ``outputs``."""
        self.run(outputs, *[it.read(x) for it, x in zip(self.inputs, inputs, strict=True)])

    def run(self, outputs: Sequence[np.ndarray], *inputs: np.ndarray) -> None:
        """Compute the outputs from inputs that `Operand.read` returned."""
        buffers = [it.buffer(y) for it, y in zip(self.outputs, outputs, strict=True)]
        for operand, buffer in zip(self.outputs, buffers, strict=True):
            if operand.starts_at_zero:
                buffer.fill(0)
        self.primitive(*inputs, *buffers)
        for operand, buffer, y in zip(self.outputs, buffers, outputs, strict=True):
            operand.write(buffer, y)


class ForEachThread(threading.local):
    """Cache operations for each thread, because an operation stores the arrays of its last call.

    Args:
        make: a function that creates an operation from shapes and settings. The 256 most recently
            used operations are cached.

    Operations are created with one OpenMP thread. oneDNN uses OpenMP threads while it compiles,
    too. With more than one thread, compiling in a forked child would never end, because the child
    does not have the OpenMP threads of its parent.
    """

    def __init__(self, make: Callable[..., Operation]) -> None:
        def make_on_one_thread(*sizes: Any) -> Operation:
            with one_thread():
                return make(*sizes)

        self.made = lru_cache(256)(make_on_one_thread)

    def __call__(self, *sizes: Any) -> Operation:
        """Return the operation for these sizes, and create it if it is not in the cache."""
        return self.made(*sizes)
