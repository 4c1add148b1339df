"""Replace the gradients of an optimizer by their means over the ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from operator import is_
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakMethod, finalize
from zlib import crc32

from dezero_core import Buffer, Parameter, Variable
from dezero_core.dtypes import is_floating
from dezero_core.errors import CommunicatorError, GraphError
from dezero_core.extend import Array, add_grad_ready, backend_of
from dezero_core.state import (
    HookHandle,
    named_params,
    require_no_recording,
    set_data,
    set_grad,
    step_numbers,
    updating,
)
from dezero_nn.optimizers import Optimizer
from dezero_nn.optimizers.settings import numbers_of

from .buckets import Bucket, Flat, Slot, flats_of, has_own_gradient, slots_of
from .signatures import fingerprint, layout, require_equal

if TYPE_CHECKING:
    from .worlds import World

PLACE = "optimizer.update"
"""The place at which the ranks wait in an update, for messages."""

MAX_EXACT = 2048
"""Float16 represents each integer from 0 to this number exactly."""


class Averaging:
    """Average the gradients of one optimizer over the ranks, as the first of the optimizer's hooks.

    The mean is taken over the rows of the whole batch. Each rank multiplies its gradients by its
    share of the rows, and the engine sums the results. `update` sends the buckets. With
    ``overlap``, `backward` sends a bucket as soon as its gradients are ready, in the same order on
    all ranks, and `update` sends the other buckets.

    Args:
        world: the ranks.
        optimizer: the optimizer, after ``setup``.
        bucket_bytes: the largest number of bytes that are sent at once.
        overlap: whether to send gradients during `backward`.

    Attributes:
        order: the parameters in the order in which the first `backward` computes their gradients.
        flats: the flat arrays of the buckets; empty before the first update.
        seen: the gradients as `backward` left them, by parameter.
        sums: for each parameter, the weighted sum of the gradients inside `accumulate`.
    """

    keeps_arrays = True  # see `dezero_nn.optimizers.hook_state.call_hook`

    def __init__(
        self, world: World, optimizer: Optimizer, bucket_bytes: int, overlap: bool
    ) -> None:
        self.world, self.optimizer = world, optimizer
        self.bucket_bytes, self.overlap = bucket_bytes, overlap
        self.order: list[Variable] = []
        self.flats: list[Flat] = []
        self.seen: dict[Variable, Variable | None] = {}
        self.sums: dict[Variable, Array] = {}
        self._slots: dict[Variable, tuple[Flat, Slot]] = {}
        self._next, self._buckets = 0, list[Bucket]()
        self._early = 0  # number of buckets that backward may send; all but the last
        self._is_new_step = True
        self._params = list(self._named_params().values())
        self._others: list[Parameter | Buffer] = []  # `is_averaged` is False for them
        self._accumulates = False
        self._handles: list[HookHandle] = []
        self._steps = count(1)  # a captured step would depend on the value of an int
        self._has_other_settings = False  # whether the settings of a rank differed in the last step
        self._values: list[Any] = []  # the attributes that `_checksum` depends on
        self._checksum = 0
        self._listener = self._listen()

    def _listen(self) -> HookHandle:
        """Let `backward` call `ready`, until this object is freed."""
        found = WeakMethod(self.ready)

        def report(x: Variable) -> None:
            ready = found()
            if ready is not None:
                ready(x)

        handle = add_grad_ready(report, self._params)
        finalize(self, handle.remove)
        return handle

    def __reduce__(self) -> NoReturn:
        raise CommunicatorError(
            f"{type(self.optimizer).__name__}: an optimizer of world.parallel cannot be copied or "
            "pickled, because it is connected to other processes; copy it before world.parallel, "
            "or copy its state_dict()"
        )

    def _named_params(self) -> dict[str, Parameter]:
        named = named_params(self.optimizer.target).items()
        return {key: x for key, x in named if isinstance(x, Parameter)}

    # During backward

    def ready(self, x: Variable) -> None:
        """Record that the gradient of ``x`` is final; send the buckets that are complete."""
        if x in self.seen and not self.sums and not self._accumulates:
            self._require_cleared(x)
        self.seen[x] = x.grad
        if self._accumulates:
            return
        if not self.flats:
            self.order.append(x)
        if self.overlap and not self.sums:
            self.world.collectives.sends_gradients = True
            if x in self._slots:
                self._send(x)

    def _send(self, x: Variable) -> None:
        """Write a gradient into its bucket, and start the sums of the buckets that are complete.

        While the backward pass may still compute sums of `AllSum`, no bucket is started, because
        the order of these sums and of the buckets might differ between the ranks.
        """
        flat, slot = self._slots[x]
        if slot.x.grad is not None and slot.shape == slot.x.shape:
            self._begin_step()
            self._fill(flat, slot, self.world.weight)
            if not self.world.collectives.can_sum_in_backward():
                self._start_ready_buckets(self._early)

    def _require_cleared(self, x: Variable) -> None:
        """Check that the gradients of the last `backward` were cleared before this one."""
        is_kept = any(y.grad is old for y, old in self.seen.items() if y is not x)
        if is_kept or len(self.seen) == 1 or self._next:
            raise GraphError(
                f"{type(self.optimizer).__name__}: backward ran twice before update(); on several "
                "ranks, put each backward() but the last into `with optimizer.accumulate():`, or "
                "clear the gradients before the second one if the first are not needed"
            )
        self.seen.clear()

    def _begin_step(self) -> None:
        """Give up the arrays of the last step whose gradients the program still holds."""
        if self._is_new_step:
            self._is_new_step = False
            for flat in self.flats:
                flat.renew()

    def _fill(self, flat: Flat, slot: Slot, weight: float) -> None:
        """Write this rank's part of a mean into the flat array."""
        x = slot.x
        if slot.is_buffer:
            flat.fill(slot, x.data, weight)
        elif x.grad is None or (weight == 0 and x not in self.sums):
            flat.fill(slot, None, 0.0)
        elif x in self.sums:
            flat.fill(slot, self.sums[x], 1.0)
        else:
            flat.fill(slot, x.grad.data, weight)

    def _start_ready_buckets(self, count: int) -> None:
        """Start the sums of the first ``count`` buckets, in the order that all ranks agreed on."""
        engine = self.world.collectives.communicator
        for bucket in self._buckets[: self._next]:
            engine.poll(bucket.request)
        while self._next < count and self._buckets[self._next].is_ready():
            bucket = self._buckets[self._next]
            bucket.request = engine.start(bucket.part())
            self._next += 1

    # Before the update

    def __call__(self, params: list[Parameter]) -> None:
        """Replace each gradient by its mean over the ranks, or by None if no rank has it.

        Raises:
            CaptureError: a step is recorded, and the model is new or has changed.
            CommunicatorError: the models of the ranks differ.
            GraphError: the program changed a gradient after `backward`.
        """
        self._require_unchanged()
        is_changed = self._has_other_settings or not self._fits(params)
        if is_changed or not self.flats:
            require_no_recording("a new or changed model", "update it in an eager step first")
        if not self.flats:
            self.world.collectives.sends_gradients = False
            self.agree()
            is_changed = not self._fits(params)
        self._exchange(is_changed)
        if any(flat.is_changed() for flat in self.flats):
            self.agree()
            self._exchange(False)
        self.seen.clear()
        self._sum_large()
        self._spread()
        step_numbers(self._count, "float32")

    def _count(self) -> tuple[()]:
        """Count a step; `step_numbers` also calls the method when a captured step is replayed."""
        self.world.count_step(next(self._steps))
        return ()

    def _require_unchanged(self) -> None:
        """Check that the program has not replaced a gradient after `backward`."""
        for x, gradient in self.seen.items():
            if x.grad is not gradient and x.grad is not None:
                name = f" of {x.name!r}" if x.name else ""
                raise GraphError(
                    f"{type(self.optimizer).__name__}.update: the program replaced the gradient"
                    f"{name} after backward(), where it is the gradient of this rank's rows; pass "
                    "the change to optimizer.add_hook, whose hooks get the mean of all ranks"
                )

    def _fits(self, params: list[Parameter]) -> bool:
        """Return whether the buckets fit the present parameters of the model."""
        return (
            are_same(params, self._params)
            and not any(map(is_averaged, self._others))
            and all(flat.fits() for flat in self.flats)
        )

    def _exchange(self, is_changed: bool) -> None:
        """Sum all buckets over the ranks."""
        self._begin_step()
        weight, settings = self.world.weight, self._settings_checksum()
        for flat in self.flats:
            flat.put_settings(settings)
            if is_changed:
                flat.mark_changed()
            for slot in flat.slots:
                if not slot.is_filled and is_changed:
                    flat.fill(slot, None, 0.0)
                elif not slot.is_filled:
                    self._fill(flat, slot, weight)
        self._start_ready_buckets(len(self._buckets))
        for number, bucket in enumerate(self._buckets):
            place = f"{PLACE}, bucket {number} of {len(self._buckets)}"
            self.world.collectives.wait(place, bucket.request)
            bucket.request = None
        self.world.collectives.sends_gradients = False
        total = settings * self.world.size
        self._has_other_settings = not all(flat.has_settings(total) for flat in self.flats)
        self._next, self._is_new_step = 0, True
        for _, slot in slots_of(self.flats):
            slot.is_filled = False

    def _sum_large(self) -> None:
        """Sum the large gradients in their own arrays, after the exchange of their flags."""
        collectives, place = self.world.collectives, f"{PLACE}, large gradients"
        requests, weight = [], self.world.weight
        for flat in [flat for flat in self.flats if flat.has_large]:
            for slot, is_present in zip(flat.slots, flat.present(), strict=True):
                x = slot.x
                if not (slot.is_large and is_present):
                    continue
                if x in self.sums:
                    flat.fill_large(slot, self.sums[x], 1.0, True)
                elif x.grad is None or weight == 0:
                    flat.fill_large(slot, None, 0.0, False)
                else:
                    is_free = has_own_gradient(x)  # the next line adds a reference
                    flat.fill_large(slot, x.grad.data, weight, is_free)
                requests += [collectives.communicator.start(part) for part in flat.pieces(slot)]
        collectives.wait(place, *requests)

    def _settings(self) -> dict[str, Any]:
        """Return the optimizer's numbers, such as the learning rate, and those of its groups."""
        groups = {f"group {i}": group.settings for i, group in enumerate(self.optimizer.groups)}
        return {**numbers_of(self.optimizer), **groups}

    def _settings_checksum(self) -> int:
        """Return 4 bits of a checksum of the settings, other bits in each of 8 steps.

        The result is below 16, and its sum over the ranks is exact in float16. With more than 136
        ranks the result is the 4 bits modulo a smaller number; with more than 2048 ranks it is 0.
        """
        values = list(vars(self.optimizer).values())
        for group in self.optimizer.groups:
            values += group.settings.values()
        if not are_same(values, self._values):
            self._values, self._checksum = values, crc32(str(self._settings()).encode())
        bits = self._checksum >> 4 * (self.world.collectives.step % 8)
        return bits % min(16, MAX_EXACT // self.world.size + 1)

    def _spread(self) -> None:
        """Set the gradients to views of the means, and the buffers to copies of the means."""
        with updating():
            for flat in self.flats:
                for slot, is_present in zip(flat.slots, flat.present(), strict=True):
                    x = slot.x
                    if slot.is_buffer:
                        set_data(x, backend_of(flat.array).copy(slot.target))
                    else:
                        set_grad(x, flat.mean(slot) if is_present else None)
                    if slot.is_large:
                        slot.target = None
        self.sums.clear()
        self._remove_handles()

    def agree(self) -> None:
        """Agree with all ranks on the parameters, their values, and the order of the buckets.

        Raises:
            CommunicatorError: the parameters, their shapes, dtypes or values differ.
        """
        collectives, named = self.world.collectives, named_params(self.optimizer.target)
        self.world.require_shared(PLACE)
        settings = {key: repr(value) for key, value in self._settings().items()}
        advice = "set the same on all ranks; a schedule that takes a loss needs world.mean(loss)"
        require_equal(collectives, PLACE, settings, "optimizer", advice)
        found = {
            key: layout(x) + ("" if is_averaged(x) else ", not averaged")
            for key, x in named.items()
        }
        advice = (
            "create the same model on all ranks, and run it once, by model.materialize(x), if its "
            "layers take their sizes from the first input"
        )
        require_equal(collectives, PLACE, found, "model", advice)
        sent = {key: x for key, x in named.items() if is_averaged(x)}
        new = {
            key: x for key, x in sent.items() if isinstance(x, Parameter) and x not in self._slots
        }
        require_equal(
            collectives,
            PLACE,
            {key: fingerprint([x.data]) for key, x in new.items()},
            "SHA-256 of its weights",
            "create the parameters after world(), by the same random numbers on all ranks, or "
            "before world.parallel(), which copies them from rank 0",
        )
        keys: dict[Variable, str] = {x: key for key, x in sent.items()}
        ready = collectives.broadcast(PLACE, [keys[x] for x in self.order if x in keys])
        ordered: list[Parameter | Buffer] = [sent[key] for key in dict.fromkeys([*ready, *sent])]
        self._set_layout(ordered, named.values())

    def _set_layout(
        self, ordered: list[Parameter | Buffer], known: Iterable[Parameter | Buffer]
    ) -> None:
        """Assign ``ordered`` to buckets, and listen to the gradients of ``known``."""
        known = list(known)
        self.flats = flats_of(ordered, self.bucket_bytes, self.overlap)
        self._buckets = [bucket for flat in self.flats for bucket in flat.buckets]
        self._early = len(self.flats[0].buckets) - 1 if self.flats else 0
        self._slots = {slot.x: (flat, slot) for flat, slot in slots_of(self.flats)}
        self._params = [x for x in known if isinstance(x, Parameter)]
        self._listener.remove()
        self._listener = self._listen()
        self._others = [x for x in known if x not in self._slots]

    # Several backward passes before one update

    @contextmanager
    def accumulate(self) -> Iterator[None]:
        """Add up the gradients of passes in a with block; see `Optimizer.accumulate`."""
        require_no_recording("accumulate()", "accumulate in eager steps")
        if not self._handles:
            params = [x for x in self._named_params().values() if x.requires_grad]
            self._handles = [x.register_hook(self._adder(x)) for x in params]
        self._accumulates = True
        try:
            yield
        finally:
            self._accumulates = False

    def _adder(self, x: Variable) -> Any:
        """Return a hook that adds weighted gradients, which may come from batches of any size."""

        def add(gradient: Variable) -> None:
            part = gradient.data * self.world.weight
            is_first = x.grad is None or x not in self.sums
            self.sums[x] = part if is_first else self.sums[x] + part

        return add

    def _remove_handles(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []


def are_same(xs: list[Any], ys: list[Any]) -> bool:
    """Return whether two lists contain the same objects in the same order."""
    return len(xs) == len(ys) and all(map(is_, xs, ys))


def is_averaged(x: Parameter | Buffer) -> bool:
    """Return whether the ranks exchange a parameter's gradient, or a buffer's data.

    A parameter that does not require grad is not exchanged, unless the program set its gradient.
    """
    if x.data is None:
        return False
    is_wanted = (
        x.reduce == "mean" if isinstance(x, Buffer) else x.requires_grad or x.grad is not None
    )
    return is_wanted and is_floating(x.data.dtype, backend_of(x.data))
