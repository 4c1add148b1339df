"""Run the bodies of functions, generators and coroutines inside of something.

A function that calls others in a block or in another context, a `Run`, is all that is needed: a
generator or coroutine is resumed step by step, each step by a call of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from functools import wraps
from types import AsyncGeneratorType, CoroutineType, GeneratorType, coroutine
from typing import Any

Run = Callable[..., Any]
"""``run(function, *args, **kwargs)`` calls the function inside of something; returns its result."""


def wrapped(function: Callable[..., Any], new_run: Callable[[], Run]) -> Callable[..., Any]:
    """Return a function of the same type whose body runs by ``new_run()``, made at each call."""
    if inspect.isgeneratorfunction(function):
        return wrapped_generator(function, new_run)
    if inspect.iscoroutinefunction(function):
        return wrapped_coroutine(function, new_run)
    if inspect.isasyncgenfunction(function):
        return wrapped_async_generator(function, new_run)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return call_by(new_run(), function, *args, **kwargs)

    return call


def call_by(run: Run, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function by ``run``, and so the rest of a generator or coroutine that it returns."""
    result = run(function, *args, **kwargs)
    if type(result) is GeneratorType:
        return steps(result, run, owned=False)
    adapt = ADAPTERS.get(type(result))
    return result if adapt is None else adapt(lambda: result, lambda: run)()


def wrapped_generator(
    function: Callable[..., Any], new_run: Callable[[], Run]
) -> Callable[..., Any]:
    """Return the same generator function; `wrapped` says how its body runs."""

    @wraps(function)
    def generator(*args: Any, **kwargs: Any) -> Any:
        return (yield from steps(function(*args, **kwargs), new_run()))

    return generator


def wrapped_coroutine(
    function: Callable[..., Any], new_run: Callable[[], Run]
) -> Callable[..., Any]:
    """Return the same coroutine function; `wrapped` says how its body runs."""

    @wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return await awaited(function(*args, **kwargs), new_run())

    return coroutine


def wrapped_async_generator(
    function: Callable[..., Any], new_run: Callable[[], Run]
) -> Callable[..., Any]:
    """Return the same asynchronous generator function; `wrapped` says how its body runs."""

    @wraps(function)
    async def async_generator(*args: Any, **kwargs: Any) -> Any:
        inner, run = function(*args, **kwargs), new_run()
        resume, value = inner.asend, None
        while True:
            try:
                item = await awaited(resume(value), run)
            except StopAsyncIteration:
                return
            try:
                resume, value = inner.asend, (yield item)
            except GeneratorExit:
                await awaited(inner.aclose(), run)
                raise
            except BaseException as error:
                resume, value = inner.athrow, error

    return async_generator


ADAPTERS: dict[type, Callable[..., Any]] = {
    CoroutineType: wrapped_coroutine,
    AsyncGeneratorType: wrapped_async_generator,
}


def steps(inner: Any, run: Run, owned: bool = True) -> Generator[Any, Any, Any]:
    """Run a generator with each of its steps by ``run``, as ``yield from`` would.

    Args:
        inner: the generator.
        run: calls a function inside of something.
        owned: close ``inner`` with this one; False if somebody else may hold it.
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
def awaited(awaitable: Any, run: Run) -> Generator[Any, Any, Any]:
    """Await ``awaitable`` with each step by ``run``."""
    return (yield from steps(awaitable.__await__(), run))
