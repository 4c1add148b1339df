"""Capture a training step into a CUDA graph, and replay the graph in later calls.

call 1, 2      run the step eagerly: it compiles kernels, and creates states of optimizers
call 3         record the step's launches, and launch the recorded graph
call 4 ...     copy the arguments and the changing numbers to the device, and launch the graph
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from types import MethodType
from typing import Any

import cupy

from dezero_core.arguments import as_integer
from dezero_core.errors import CallError
from dezero_core.state import recorder

from .capture_arguments import Arguments, settings, split
from .capture_graph import CapturedGraph, warm_up
from .capture_state import params_on_gpus
from .interrupts import delayed_interrupts

WARM_UPS = 2
"""The number of eager calls before a step is captured. The first creates the gradients and the
states of optimizers; the second uses them, and so runs every kernel that later calls run."""


class CapturedStep:
    """Call a step eagerly twice, and then by replaying a CUDA graph; `capture` creates the object.

    Attributes:
        step: the function that is captured.
        copy: whether each call copies the results.
        limit: the largest number of graphs.
    """

    def __init__(self, step: Callable[..., Any], copy: bool, limit: int) -> None:
        self.step, self.copy, self.limit = step, copy, limit
        self._graphs: OrderedDict[Hashable, CapturedGraph] = OrderedDict()
        self._calls: OrderedDict[Hashable, int] = OrderedDict()  # eager calls, by key
        self._streams: dict[int, Any] = {}
        self._lock = RLock()
        functools.update_wrapper(self, step, updated=())

    def __repr__(self) -> str:
        return f"capture({self.step!r})"

    def __get__(self, owner: Any, cls: type) -> Any:
        return self if owner is None else MethodType(self, owner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run one step eagerly, or replay its graph."""
        if recorder.get() is not None:  # another captured step calls this one
            return self.step(*args, **kwargs)
        arguments = split(args, kwargs)
        if arguments.are_on_host:
            return self.step(*args, **kwargs)
        with self._lock:
            return self._run(arguments)

    def _run(self, arguments: Arguments) -> Any:
        key = arguments.key, settings()
        graph = self._graphs.get(key)
        if graph is not None and not graph.is_valid():
            del self._graphs[key]
            self._calls[key] = 0
            graph = None
        if graph is None:
            count = self._calls.get(key, 0)
            if count < WARM_UPS:
                result = warm_up(self.step, arguments)
                self._calls[key] = count + 1
                self._calls.move_to_end(key)
                self._forget(self._calls, 16 * self.limit)
                return result
            if not (arguments.arrays or arguments.rows or params_on_gpus()):
                self._calls[key] = 0  # everything is on the host
                return self.step(*arguments.args, **arguments.kwargs)
        with delayed_interrupts() as run:  # a step that was counted is also launched
            if graph is None:
                graph = CapturedGraph(self.step, arguments, self._stream_of, run)
                self._graphs[key] = graph
                self._forget(self._graphs, self.limit)
            else:
                graph.prepare(arguments)
            self._graphs.move_to_end(key)
            return graph.launch(arguments, self.copy)

    def _stream_of(self, device: Any) -> Any:
        """Return the stream for recording on a device.

        All graphs of a step use one stream, because cuBLAS needs a workspace of 32 MiB per stream.
        """
        if device.id not in self._streams:
            self._streams[device.id] = cupy.cuda.Stream(non_blocking=True)
        return self._streams[device.id]

    @staticmethod
    def _forget(entries: OrderedDict[Hashable, Any], limit: int) -> None:
        """Delete the first entries until at most ``limit`` entries remain."""
        while len(entries) > limit:
            entries.popitem(last=False)


def capture(
    step: Callable[..., Any] | None = None, *, copy: bool = False, limit: int = 8
) -> Callable[..., Any]:
    """Return a function that runs ``step`` eagerly twice, and then as one CUDA graph.

    A graph launches all kernels of a step at once, without Python in between. Use ``capture`` as a
    decorator or as a function::

        @dezero.cuda.capture
        def step(x, t):
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return loss

    Each call is one real step: learning rates, counts of updates and random numbers change as in
    eager steps. There is a graph for each combination of the structure, shapes, dtypes and
    devices of the array arguments, the values of the other arguments, and DeZero's settings, such
    as the training mode. If a parameter or a setting that is part of a graph is replaced, the step
    runs eagerly twice again, and is then captured again.
    Calls whose array arguments are on the host run the step itself.

    Args:
        step: a function of arrays, Variables, numbers and other values, also in tuples, lists and
            dictionaries. It must do the same work in each call: Python code in it runs only in the
            first three calls.
        copy: copy the results. By default (False) the arrays of the results are valid until the
            next call.
        limit: the largest number of graphs; the least recently used graph is deleted first.

    Returns:
        a function with the arguments of ``step``. Its results are those of ``step``; the Variables
        in them cannot run backward, and wait for the device when a program reads their values.

    Raises:
        CallError: ``step`` is not callable, or is a class.
        CaptureError: in the third call, if the step reads a value of an array, copies from the
            host, draws random numbers on the host, or changes settings. Parameters, gradients,
            states of optimizers and generators are as before the call.
    """
    limit = as_integer("capture", "limit", limit, minimum=1)
    if step is None:
        return lambda function: capture(function, copy=copy, limit=limit)
    if isinstance(step, CapturedStep):
        return step
    if not callable(step) or isinstance(step, type):
        raise CallError(f"capture: got {step!r}; expected a function, such as a training step")
    return CapturedStep(step, copy, limit)
