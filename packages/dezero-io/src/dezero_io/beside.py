"""Calling a function on another thread, so that Ctrl-C can neither be lost nor hang the program."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any


def beside(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Start a call; returns what waits for its result, or raises its error.

    The queue is written in C, and so is whole whenever Ctrl-C interrupts this thread: those of
    concurrent.futures can be left locked by it, for ever. The thread is a daemon: nobody waits for
    it once the call that started it was interrupted.
    """
    answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def call() -> None:
        try:
            answer.put((function(*arguments), None))
        except BaseException as error:
            answer.put((None, error))

    def wait() -> Any:
        result, error = answer.get()
        if error is not None:
            raise error
        return result

    Thread(target=call, daemon=True).start()
    return wait
