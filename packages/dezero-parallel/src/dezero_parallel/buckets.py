"""Place gradients and statistics in flat arrays, and cut these into buckets to be summed.

Without overlap, a gradient that is larger than a bucket is not copied to a flat array, but summed
in its own array.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from dezero_core import Buffer, Parameter, Variable, get_array_module
from dezero_core.extend import Array, backend_of
from dezero_core.state import on_device_of, recorder, set_grad


class Slot:
    """Describe the positions of one gradient, or of one buffer, in a flat array.

    Attributes:
        x: the Parameter or Buffer.
        is_buffer: whether the slot holds the data of a Buffer, instead of a gradient.
        is_large: whether the gradient is summed in its own array; the flat array has its flag only.
        shape: the shape of the array.
        start, stop: the range of positions in the flat array; ``stop`` is exclusive.
        flag: the position of the number of ranks that have the gradient, in the slot's last
            bucket.
        buckets: the buckets that have a part of the slot.
        target: the slot's numbers in the shape of the parameter, a view of the flat array. For a
            large gradient, its own array while it is summed, else None.
        is_filled: whether the flat array has this rank's numbers of this step.
    """

    def __init__(self, x: Parameter | Buffer, start: int, is_large: bool = False) -> None:
        self.x, self.shape, self.start = x, x.shape, start
        self.is_buffer, self.is_large = isinstance(x, Buffer), is_large
        self.stop = start if is_large else start + math.prod(x.shape)
        self.flag = -1
        self.buckets: list[Bucket] = []
        self.target: Any = None
        self.is_filled = False


class Bucket:
    """Describe a part of a flat array that is summed at once.

    Attributes:
        flat: the flat array with its dtype and device.
        start, stop: the range of positions; ``stop`` is exclusive.
        slots: the slots that have numbers in the part.
        request: the request of the engine while the sum is computed, or None.
    """

    def __init__(self, flat: Flat, start: int) -> None:
        self.flat, self.start, self.stop = flat, start, start
        self.slots: list[Slot] = []
        self.request: Any = None

    def is_ready(self) -> bool:
        """Return whether every slot has this rank's numbers."""
        return all(slot.is_filled for slot in self.slots)

    def part(self) -> Array:
        """Return the part of the flat array, without a copy."""
        return self.flat.array[self.start : self.stop]


class Flat:
    """Hold the gradients and statistics of one dtype on one device in one array.

    A parameter's positions are contiguous, so that its mean gradient is a view. A gradient of more
    than ``bucket_bytes`` is large: it has no positions, and its own array is summed in pieces of
    this size. Other arrays share buckets. A larger buffer is cut into several buckets; with
    ``cut_large``, a large gradient is cut too. Each bucket ends with one number for each slot that
    ends in this bucket: the number of ranks that have the gradient. The last two numbers of the
    array are the number of ranks whose model changed, and a checksum of the optimizer's settings,
    to find ranks with other settings.

    Args:
        xs: the parameters and buffers, in the order in which they are sent.
        bucket_bytes: the largest size of a bucket in bytes, without the numbers at its end.
        cut_large: whether the flat array also holds large gradients, so that they can be sent
            before all ranks know that their models are the same.
    """

    def __init__(self, xs: list[Parameter | Buffer], bucket_bytes: int, cut_large: bool) -> None:
        self.sample = xs[0].data
        self.slots: list[Slot] = []
        self.buckets: list[Bucket] = []
        self.size = 0
        self._limit, self._cut_large = max(1, bucket_bytes // self.sample.dtype.itemsize), cut_large
        for x in xs:
            self._place(x)
        self._close()
        self.size += 2
        self.buckets[-1].stop = self.size
        self._multiply = get_array_module(self.sample).multiply
        self._flags = [slot.flag for slot in self.slots]
        self.has_large = any(slot.is_large for slot in self.slots)
        self._allocate()

    def _place(self, x: Parameter | Buffer) -> None:
        """Append a slot; begin a new bucket if the slot does not fit into the last one."""
        bucket = self.buckets[-1] if self.buckets else None
        is_large = x.size > self._limit and not self._cut_large and isinstance(x, Parameter)
        size = 0 if is_large else x.size
        if bucket is None or self.size - bucket.start + size > self._limit:
            self._close()
            bucket = self._open()
        slot = Slot(x, self.size, is_large)
        self.slots.append(slot)
        while True:
            bucket.slots.append(slot)
            slot.buckets.append(bucket)
            self.size = min(slot.stop, bucket.start + self._limit)
            if self.size == slot.stop:
                return
            bucket.stop = self.size
            bucket = self._open()

    def _open(self) -> Bucket:
        self.buckets.append(Bucket(self, self.size))
        return self.buckets[-1]

    def _close(self) -> None:
        """Append the flags of the slots that end in the last bucket."""
        if self.buckets:
            bucket = self.buckets[-1]
            for number, slot in enumerate(bucket.slots):
                slot.flag = self.size + number
            self.size += len(bucket.slots)
            bucket.stop = self.size

    def _allocate(self) -> None:
        """Make the array, and the views of its slots."""
        with on_device_of(self.sample):
            self.array = get_array_module(self.sample).zeros(self.size, dtype=self.sample.dtype)
        for slot in self.slots:
            slot.target = None if slot.is_large else self.view(slot)
        self._references = sys.getrefcount(self.array)

    def fits(self) -> bool:
        """Return whether the slots fit their parameters and buffers.

        Shapes and dtypes must be the same as before, and parameters must still be averaged.
        """
        dtype = self.sample.dtype
        for slot in self.slots:
            x = slot.x
            if x.data is None or x.data.shape != slot.shape or x.data.dtype != dtype:
                return False
            if not (x.requires_grad or x.grad is not None or slot.is_buffer):
                return False
        return True

    def renew(self) -> None:
        """Allocate a new array if the program still holds a gradient of the last step."""
        if sys.getrefcount(self.array) > self._references:
            self._allocate()

    def fill(self, slot: Slot, array: Array | None, weight: float) -> None:
        """Write ``weight * array`` into a slot, zeros if ``array`` is None; set the flag.

        For a large gradient, only the flag is written.
        """
        if slot.is_large:
            pass
        elif array is None:
            slot.target[...] = 0
        else:
            self._multiply(array, weight, out=slot.target, casting="same_kind")
        self.array[slot.flag] = array is not None
        slot.is_filled = True

    def fill_large(self, slot: Slot, array: Any, weight: float, is_free: bool) -> None:
        """Set the target of a large slot to ``weight * array``, or to zeros if ``array`` is None.

        Args:
            is_free: whether ``array`` may be overwritten. If so, ``array`` becomes the target,
                provided that it has the dtype of the slot, is contiguous, and is not a view.
        """
        if array is not None and is_free and array.dtype == self.sample.dtype:
            if array.flags.c_contiguous and not backend_of(array).is_view(array):
                slot.target = array
                if weight != 1:
                    self._multiply(array, weight, out=array)
                return
        with on_device_of(self.sample):
            xp = get_array_module(self.sample)
            slot.target = xp.zeros(slot.shape, dtype=self.sample.dtype)
        if array is not None:
            self._multiply(array, weight, out=slot.target, casting="same_kind")

    def pieces(self, slot: Slot) -> list[Array]:
        """Return views that split the array of a large gradient, of ``bucket_bytes`` at most."""
        flat = slot.target.reshape(-1)
        return [flat[i : i + self._limit] for i in range(0, len(flat), self._limit)]

    def view(self, slot: Slot) -> Array:
        """Return a slot's numbers in the shape of the parameter, without a copy."""
        if slot.is_large:
            return slot.target
        return self.array[slot.start : slot.stop].reshape(slot.shape)

    def mean(self, slot: Slot) -> Variable:
        """Return the gradient that a slot contains after the sum over the ranks."""
        return Variable(self.view(slot), requires_grad=False)

    def present(self) -> list[bool]:
        """Return for each slot whether a rank has the gradient.

        While a step is recorded, the array has no values, and the result is that of the last step.
        """
        if not is_recorded():
            self._present: list[bool] = (self.array[self._flags] > 0).tolist()
        return self._present

    def mark_changed(self) -> None:
        """Set the number that tells all ranks that the model of this rank changed."""
        self.array[self.size - 2] = 1

    def is_changed(self) -> bool:
        """Return whether the model of some rank changed; False while a step is recorded."""
        return not is_recorded() and bool(self.array[self.size - 2] > 0)

    def put_settings(self, checksum: int) -> None:
        """Write this rank's checksum of the optimizer's settings; 0 while a step is recorded."""
        self.array[self.size - 1] = 0 if is_recorded() else checksum

    def has_settings(self, total: int) -> bool:
        """Return whether the ranks' checksums sum to ``total``; True while a step is recorded."""
        return is_recorded() or float(self.array[self.size - 1]) == total


def references(x: Variable) -> tuple[int, int]:
    """Count Python's references to the gradient of ``x``, and to the array of the gradient."""
    return sys.getrefcount(x.grad), sys.getrefcount(x.grad.data)  # type: ignore[union-attr]


_sample = Variable(None)
set_grad(_sample, Variable(None))
_sample.grad.data = object()  # type: ignore[union-attr]
UNSHARED = references(_sample)
"""The reference counts of a gradient that nothing but its parameter refers to."""


def has_own_gradient(x: Parameter | Buffer) -> bool:
    """Return whether nothing but ``x`` refers to its gradient or the gradient's array."""
    return x.grad is not None and references(x) == UNSHARED


def is_recorded() -> bool:
    """Return whether a step is recorded, in which arrays have no values yet."""
    recording = recorder.get()
    return recording is not None and recording.records


def flats_of(xs: Iterable[Parameter | Buffer], bucket_bytes: int, cut_large: bool) -> list[Flat]:
    """Place parameters and buffers in flat arrays, one for each array type, dtype and device."""
    groups: dict[Any, list[Parameter | Buffer]] = {}
    for x in xs:
        device = str(backend_of(x.data).device(x.data))
        groups.setdefault((type(x.data), str(x.dtype), device), []).append(x)
    return [Flat(group, bucket_bytes, cut_large) for group in groups.values()]


def slots_of(flats: Iterable[Flat]) -> Iterator[tuple[Flat, Slot]]:
    """Yield each slot with its flat array."""
    return ((flat, slot) for flat in flats for slot in flat.slots)
