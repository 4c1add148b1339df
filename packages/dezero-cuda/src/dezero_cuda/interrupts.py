"""Delay Ctrl-C until a captured step is complete."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Run = Callable[..., Any]


@contextmanager
def delayed_interrupts() -> Iterator[Run]:
    """Call the handler of SIGINT at the end of the block, if the signal arrives in the block.

    The block's value is a function ``run(step, *args, **kwargs)``, which calls ``step`` without the
    delay. Python runs handlers of signals in the main thread only, so the block delays nothing in
    other threads. The block also delays nothing if SIGINT ends the process or is ignored.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield lambda step, *args, **kwargs: step(*args, **kwargs)
        return
    received: list[tuple[Any, ...]] = []

    def delay(*arguments: Any) -> None:
        received.append(arguments)

    def run(step: Run, *args: Any, **kwargs: Any) -> Any:
        try:
            signal.signal(signal.SIGINT, handler)
            return step(*args, **kwargs)
        finally:
            signal.signal(signal.SIGINT, delay)

    signal.signal(signal.SIGINT, delay)
    try:
        yield run
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[-1])
