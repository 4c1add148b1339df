"""Settings: one process-wide default each, overridden per thread and task by blocks.

Reading gives the value of the current context (`contextvars`); the blocks override it there
and nowhere else; assignment sets the default of the process::

    with no_grad():               # this thread, this task, this block
        y = model(x)
    Config.train = False          # everybody who has no override

Every block is also a decorator, see `Block`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextvars import ContextVar, Token
from functools import wraps
from types import (
    AsyncGeneratorType,
    CoroutineType,
    GeneratorType,
    TracebackType,
    coroutine,
)
from typing import Any, Generic, TypeVar

from .errors import ArgumentError, CallError, UnknownName

T = TypeVar("T")


class Setting(Generic[T]):
    """A property with a process-wide default, which blocks override in their context.

    Args:
        name: a label for debuggers.
        default: the value outside all blocks.
    """

    def __init__(self, name: str, default: T) -> None:
        self.default = default
        self.entries: ContextVar[tuple[Entry[T], ...]] = ContextVar(f"dezero.{name}", default=())

    def get(self) -> T:
        """Return the value of the innermost block that has not ended, else the default."""
        for entry in reversed(self.entries.get()):
            if not entry.ended:
                return entry.value
        return self.default

    def push(self, value: T, block: Any = None) -> Entry[T]:
        """Override the value in this context; ``entries.reset(entry.token)`` undoes it."""
        entry = Entry(block, value)
        entry.token = self.entries.set((*self.entries.get(), entry))
        return entry

    def __get__(self, config: object, owner: type | None = None) -> T:
        return self.get()

    def __set__(self, config: object, value: T) -> None:
        self.default = type(self.default)(value)  # type: ignore[call-arg]


class Entry(Generic[T]):
    """One entry into a block.

    Attributes:
        block: the block; None for an entry that its own function undoes.
        value: the setting's value inside the block.
        token: the `contextvars` token from entering.
        ended: whether the block was exited in another context than it was entered in.
    """

    __slots__ = ("block", "ended", "token", "value")

    def __init__(self, block: Block[T] | None, value: T) -> None:
        self.block = block
        self.value = value
        self.ended = False
        self.token: Token[Any] = None  # type: ignore[assignment]


class Block(Generic[T]):
    """Override a setting inside a ``with`` block or a decorated function.

    One instance may be entered many times: nested, in several threads and tasks, and exited in
    any order. As a decorator it applies while the body of a function, generator, coroutine or
    asynchronous generator runs; between two items of a generator the caller's value applies.

    Args:
        setting: the setting to override, in this thread and task only.
        value: its value inside the block.
    """

    def __init__(self, setting: Setting[T], value: T) -> None:
        self.setting, self.value = setting, value
        self._open: list[Entry[T]] = []

    def __deepcopy__(self, memo: Any) -> Block[T]:
        return type(self)(self.setting, self.value)

    def new_value(self) -> T:
        """Return the value for one entry into the block; ``as`` binds it."""
        return self.value

    def __enter__(self) -> Any:
        entry = self.setting.push(self.new_value(), self)
        self._open.append(entry)
        return entry.value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entries = self.setting.entries
        here = entries.get()
        entry = next((entry for entry in reversed(here) if entry.block is self), None)
        if entry is None:  # such as in a generator that is closed in another thread
            if not self._open:
                raise RuntimeError("a block was exited more often than it was entered")
            entry = self._open[-1]
        if entry in self._open:
            self._open.remove(entry)
        try:
            entries.reset(entry.token)
        except ValueError:  # entered in another context, which skips ended entries
            entry.ended = True
        # The token restores too much if blocks are not exited in the reverse order of entry.
        entries.set(tuple([other for other in here if other is not entry]))

    def __call__(self, function: Any) -> Any:
        """Return ``function`` wrapped so that its body runs inside this block.

        Args:
            function: a function, method, generator function, coroutine function or
                asynchronous generator function.

        Raises:
            CallError: ``function`` is none of these.
        """
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self(function.__func__))
        if not callable(function) or isinstance(function, type):
            name = getattr(function, "__name__", type(function).__name__)
            raise CallError(f"a block decorates functions and methods, and {name} is neither")
        return decorated(function, self)


def decorated(function: Callable[..., Any], block: Block[Any]) -> Callable[..., Any]:
    """Return a function of the same type whose body runs inside ``block``."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with block:
            result = function(*args, **kwargs)
        if type(result) is GeneratorType:  # its body has not run yet, or not to the end
            return steps(result, block, owned=False)
        adapt = ADAPTERS.get(type(result))
        return result if adapt is None else adapt(lambda: result, block)()

    if inspect.isgeneratorfunction(function):
        return decorated_generator(function, block)
    if inspect.iscoroutinefunction(function):
        return decorated_coroutine(function, block)
    if inspect.isasyncgenfunction(function):
        return decorated_async_generator(function, block)
    return call


def decorated_generator(function: Callable[..., Any], block: Block[Any]) -> Callable[..., Any]:
    @wraps(function)
    def generator(*args: Any, **kwargs: Any) -> Any:
        return (yield from steps(function(*args, **kwargs), block))

    return generator


def decorated_coroutine(function: Callable[..., Any], block: Block[Any]) -> Callable[..., Any]:
    @wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return await awaited(function(*args, **kwargs), block)

    return coroutine


def decorated_async_generator(
    function: Callable[..., Any], block: Block[Any]
) -> Callable[..., Any]:
    @wraps(function)
    async def async_generator(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        resume, value = inner.asend, None
        while True:
            try:
                item = await awaited(resume(value), block)
            except StopAsyncIteration:
                return
            try:
                resume, value = inner.asend, (yield item)
            except GeneratorExit:
                await awaited(inner.aclose(), block)
                raise
            except BaseException as error:
                resume, value = inner.athrow, error

    return async_generator


ADAPTERS: dict[type, Callable[..., Any]] = {
    CoroutineType: decorated_coroutine,
    AsyncGeneratorType: decorated_async_generator,
}


def steps(inner: Any, block: Block[Any], owned: bool = True) -> Generator[Any, Any, Any]:
    """Run a generator with each of its steps inside ``block``, as ``yield from`` would.

    Args:
        inner: the generator.
        block: what to be inside of.
        owned: close ``inner`` with this one; False if somebody else may hold it.
    """
    resume, value = inner.send, None
    while True:
        with block:
            try:
                item = resume(value)
            except StopIteration as stop:
                return stop.value
        try:
            resume, value = inner.send, (yield item)
        except GeneratorExit:
            if owned:
                with block:
                    inner.close()
            raise
        except BaseException as error:
            resume, value = inner.throw, error


@coroutine
def awaited(awaitable: Any, block: Block[Any]) -> Generator[Any, Any, Any]:
    """Await ``awaitable`` with each step inside ``block``."""
    return (yield from steps(awaitable.__await__(), block))


def named_block(name: str, setting: Setting[T], value: T, function: Any = None) -> Any:
    """Return a block, or ``function`` decorated with it (``@no_grad`` without parentheses).

    Raises:
        CallError: ``function`` is neither None nor callable.
    """
    block = Block(setting, value)
    if function is None:
        return block
    if not callable(function) and not isinstance(function, staticmethod | classmethod):
        raise CallError(f"{name}() takes no arguments but a function to decorate, got {function!r}")
    return block(function)


enable_backprop = Setting("enable_backprop", True)
exact = Setting("exact", False)
train = Setting("train", True)


class Configuration:
    """The settings of DeZero; its one instance is ``Config``.

    Attributes:
        enable_backprop: record the graph of what is computed (default True).
        exact: no kernel trades digits for speed (default False); see `precision`.
        train: layers behave as in training, dropout drops (default True).
    """

    __slots__ = ()
    enable_backprop = enable_backprop
    exact = exact
    train = train


Config = Configuration()


class using_config(Block[bool]):
    """Override one setting inside a ``with`` block or a decorated function; see `Block`.

    Args:
        name: ``"enable_backprop"``, ``"exact"`` or ``"train"``.
        value: its value inside the block.

    Raises:
        UnknownName: there is no setting of that name.
    """

    def __init__(self, name: str, value: bool) -> None:
        setting = vars(Configuration).get(name) if isinstance(name, str) else None
        if not isinstance(setting, Setting):
            known = [key for key, item in vars(Configuration).items() if isinstance(item, Setting)]
            raise UnknownName(f"using_config: no setting {name!r}; there are {', '.join(known)}")
        super().__init__(setting, bool(value))


def no_grad(function: Any = None) -> Any:
    """Record no graph in this block: results have ``requires_grad`` False (book step 18).

    Use it as ``with no_grad():``, ``@no_grad()`` or ``@no_grad``; see `Block`.
    """
    return named_block("no_grad", enable_backprop, False, function)


def test_mode(function: Any = None) -> Any:
    """Make layers behave as in evaluation: dropout returns its input (book step 54).

    Use it as ``with test_mode():``, ``@test_mode()`` or ``@test_mode``; see `Block`.
    """
    return named_block("test_mode", train, False, function)


def precision(name: str) -> Block[bool]:
    """In this block, ``"exact"``: no kernel trades digits for speed; ``"fast"``: they may.

    What they trade: convolution of float32 by 3x3 filters loses about two bits, and spreads an inf
    or nan to its neighbours; products of large matrices leave out rows and columns of zeros, also
    where those would meet an inf or nan. Backward runs as the block it is called in says, wherever
    the forward ran.

    Raises:
        ArgumentError: another name.
    """
    if name not in ("exact", "fast"):
        raise ArgumentError(f"precision: {name!r} is neither 'exact' nor 'fast'")
    return Block(exact, name == "exact")


# pytest collects functions called test_*; this one is not a test.
test_mode.__test__ = False  # type: ignore[attr-defined]

__all__: list[Any] = ["Config", "Configuration", "no_grad", "test_mode", "using_config"]
