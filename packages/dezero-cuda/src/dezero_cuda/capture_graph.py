"""Record one call of a step as a CUDA graph, and launch the graph."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

import cupy

from dezero_core import Variable
from dezero_core.config import Block
from dezero_core.state import drawing_from, recorder, set_grad, updating

from .capture_arguments import Arguments, map_arrays
from .capture_errors import Refusal, explain_error
from .capture_memory import new_pool, release
from .capture_recorder import Recorder, WarmUp
from .capture_rows import Gathered, is_deferred
from .capture_state import HostState, is_array_at
from .interrupts import Run


def warm_up(step: Callable[..., Any], arguments: Arguments) -> Any:
    """Run the step eagerly, with the recorder `WarmUp`."""
    with Block(recorder, WarmUp()):
        return step(*arguments.args, **arguments.kwargs)


_recording = Lock()
"""A lock for one recording at a time, which hides the gradients of the whole process."""


class CapturedGraph:
    """Record a step as a CUDA graph, which owns the memory that the step uses.

    Args:
        step: the function to record.
        arguments: the arguments of the call that is recorded.
        stream_of: a function of a device; it returns the stream to record on.
        run: a function that calls the step so that Ctrl-C interrupts it at once; see
            `delayed_interrupts`.

    Raises:
        CaptureError: the step cannot be captured. Parameters, gradients, states of optimizers and
            generators are as before the call.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        arguments: Arguments,
        stream_of: Callable[[Any], Any],
        run: Run,
    ) -> None:
        arrays = [*arguments.arrays, *[x.source for x in arguments.rows]]
        self._device = arrays[0].device if arrays else cupy.cuda.Device()
        with self._device:
            self._rows = Gathered(arguments.rows)
            self._inputs = [cupy.array(x) for x in arguments.arrays]
            self._pool = new_pool()
            self._recorder = Recorder()
            inputs, rows = iter(self._inputs), iter(self._rows.variables)
            self._variables: list[Variable] = []
            args, kwargs = map_arrays(
                (arguments.args, arguments.kwargs),
                lambda x: next(inputs),
                lambda x: next(rows) if is_deferred(x) else self._held(x, next(inputs)),
            )
            with _recording:
                self._record(step, args, kwargs, stream_of(self._device), run)

    def __del__(self) -> None:
        """Return the memory of the graph to the device."""
        if "_pool" in vars(self) and not sys.is_finalizing():
            pool, device = self._pool, self._device
            vars(self).clear()  # the arrays of the graph use the memory
            release(pool, device)

    def _held(self, x: Variable, array: Any) -> Variable:
        """Create a Variable like ``x`` whose array belongs to the graph; store and return it."""
        self._variables.append(Variable(array, x.name, requires_grad=x.requires_grad))
        return self._variables[-1]

    def _record(
        self,
        step: Callable[..., Any],
        args: Any,
        kwargs: Any,
        stream: Any,
        run: Run,
    ) -> None:
        state = HostState()
        try:
            with without_collector(), ExitStack() as stack:
                stack.enter_context(Block(recorder, self._recorder))
                stack.enter_context(drawing_from(refuse_host_numbers))
                stack.enter_context(cupy.cuda.using_allocator(self._pool.malloc))
                stack.enter_context(stream)
                state.hide_gradients()
                stream.begin_capture()
                try:
                    self._rows.record(self._recorder)
                    self._result = run(step, *args, **kwargs)
                    map_arrays(self._result, as_is, require_on_gpu)
                    self._attributes = self._recorder.keep_attributes()
                except BaseException:
                    abandon(stream)
                    raise
                self._graph = stream.end_capture()
        except BaseException as error:
            self._recorder.undo()
            state.restore()
            reason = explain_error(error)
            if reason is error:
                raise
            raise reason from error
        self._gradients = state.show_gradients()
        self._addresses = state.addresses()

    def is_valid(self) -> bool:
        """Return whether the parameters and settings are still those that the graph uses."""
        return self._recorder.is_valid() and all(is_array_at(p(), a) for p, a in self._addresses)

    def prepare(self, arguments: Arguments) -> None:
        """Compute the changing numbers of the next step, and the positions of its batches."""
        with self._device:
            self._rows.move_to(arguments.rows)
        with updating():
            self._recorder.advance()

    def launch(self, arguments: Arguments, copy: bool) -> Any:
        """Copy the arguments and numbers to the device, launch the graph, and return the result."""
        with self._device:
            for mine, x in zip(self._inputs, arguments.arrays, strict=True):
                if x is not mine:
                    mine[...] = x
            self._recorder.refill()
            self._graph.launch()
            for p, grad in self._gradients:
                set_grad(p, grad)
            for x, held in zip(arguments.variables, self._variables, strict=True):
                set_grad(x, x.grad if held.grad is None else held.grad)
            for owner, name, value in self._attributes:
                vars(owner)[name] = value
            taken = cupy.array if copy else as_is
            return map_arrays(
                self._result, taken, lambda x: Variable(taken(x.data), x.name, requires_grad=False)
            )


def require_on_gpu(x: Variable) -> Variable:
    """Refuse a result on the host, which a replay would not compute."""
    if not isinstance(x.data, cupy.ndarray):
        raise Refusal("a result on the host", "move the model to the GPU by to_gpu()")
    return x


def as_is(x: Any) -> Any:
    """Return the argument itself, not a copy."""
    return x


def abandon(stream: Any) -> None:
    """End a capture after an error, and ignore the graph."""
    try:
        stream.end_capture()
    except cupy.cuda.runtime.CUDARuntimeError:  # the failed call has invalidated the capture
        return


def refuse_host_numbers() -> Any:
    """Refuse to draw from DeZero's generator on the host while a step is recorded."""
    raise Refusal(
        "a random number that is drawn on the host", "draw it before the step, and pass it"
    )


@contextmanager
def without_collector() -> Iterator[None]:
    """Disable the garbage collector, which could free device memory while a stream captures."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
