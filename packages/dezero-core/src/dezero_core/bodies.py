"""Run the bodies of functions, generators and coroutines inside a context.

The context is a context manager or a `contextvars.Context`. The context is passed as a `Run`: a
function that calls another function inside the context. Each step of a generator or coroutine is
called through the `Run`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from functools import wraps
from types import AsyncGeneratorType, CoroutineType, GeneratorType, coroutine
from typing import Any

Run = Callable[..., Any]
"""``run(function, *args, **kwargs)`` calls ``function`` in a context and returns its result."""


def wrapped(function: Callable[..., Any], new_run: Callable[[], Run]) -> Callable[..., Any]:
    """Return a wrapper of the same type as ``function`` that runs each call through a new `Run`."""
    if inspect.iscoroutinefunction(function):
        return wrapped_coroutine(function, new_run)
    if inspect.isasyncgenfunction(function):
        return wrapped_async_generator(function, new_run)

    @wraps(function)
    def call(*args: object, **kwargs: object) -> Any:
        return call_by(new_run(), function, *args, **kwargs)

    @wraps(function)
    def generator(*args: object, **kwargs: object) -> Any:
        return (yield from steps(function(*args, **kwargs), new_run()))

    return generator if inspect.isgeneratorfunction(function) else call


def call_by(run: Run, function: Callable[..., Any], /, *args: object, **kwargs: object) -> Any:
    """Call a function through ``run``; also run a generator or coroutine that is returned."""
    result = run(function, *args, **kwargs)
    if type(result) is GeneratorType:
        return steps(result, run, owned=False)
    adapt = ADAPTERS.get(type(result))
    return result if adapt is None else adapt(lambda: result, lambda: run)()


def wrapped_coroutine(
    function: Callable[..., Any], new_run: Callable[[], Run]
) -> Callable[..., Any]:
    """Implement `wrapped` for a coroutine function."""

    @wraps(function)
    async def coroutine(*args: object, **kwargs: object) -> Any:
        return await run_awaitable(function(*args, **kwargs), new_run())

    return coroutine


def wrapped_async_generator(
    function: Callable[..., Any], new_run: Callable[[], Run]
) -> Callable[..., Any]:
    """Implement `wrapped` for an asynchronous generator function."""

    @wraps(function)
    async def async_generator(*args: object, **kwargs: object) -> Any:
        inner, run = function(*args, **kwargs), new_run()
        resume, value = inner.asend, None
        while True:
            try:
                item = await run_awaitable(resume(value), run)
            except StopAsyncIteration:
                return
            try:
                resume, value = inner.asend, (yield item)
            except GeneratorExit:
                await run_awaitable(inner.aclose(), run)
                raise
            except BaseException as error:
                resume, value = inner.athrow, error

    return async_generator


ADAPTERS: dict[type, Callable[..., Any]] = {
    CoroutineType: wrapped_coroutine,
    AsyncGeneratorType: wrapped_async_generator,
}


def steps(inner: Any, run: Run, owned: bool = True) -> Generator[Any, Any, Any]:
    """Run a generator like ``yield from``, with each step called through ``run``.

    Closing this generator also closes ``inner``, unless ``owned`` is False because ``inner`` may be
    used elsewhere.
    """
    resume, value = inner.send, None
    while True:
        try:
            item = run(resume, value)
        except StopIteration as stop:
            return stop.value
        try:
            resume, value = inner.send, (yield item)
        except GeneratorExit:
            if owned:
                run(inner.close)
            raise
        except BaseException as error:
            resume, value = inner.throw, error


@coroutine
def run_awaitable(awaitable: Any, run: Run) -> Generator[Any, Any, Any]:
    """Await ``awaitable`` with each step called through ``run``."""
    return (yield from steps(awaitable.__await__(), run))
