"""Define settings with a process-wide default, which blocks override per thread and task.

Reading a setting gives its value in the current context (`contextvars`). A block overrides it in
that context only. An assignment sets the default of the process::

    with no_grad():               # holds in this thread and task, until the block ends
        y = model(x)
    Config.train = False          # holds in all threads and tasks outside of such blocks

Every block is also a decorator, see `Block`. The threads of a pool have no overrides; `inherit`
passes the caller's overrides to them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar, Token, copy_context
from types import TracebackType
from typing import Any, Generic, TypeVar

from .bodies import call_by, wrapped
from .errors import ArgumentError, CallError, UnknownName

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_settings: list[Setting[Any]] = []
"""All settings, for `inherit`."""


class Setting(Generic[T]):
    """A property with a process-wide default, which blocks override in a context.

    Args:
        name: a label for debuggers.
        default: the value outside all blocks.
    """

    def __init__(self, name: str, default: T) -> None:
        self.default = default
        self.entries: ContextVar[tuple[Entry[T], ...]] = ContextVar(f"dezero.{name}", default=())
        _settings.append(self)

    def get(self) -> T:
        """Return the value of the innermost block that has not ended, else the default."""
        entries = self.entries.get()
        if entries and entries[-1].ended:
            entries = self.open_entries()
            self.entries.set(entries)
        return entries[-1].value if entries else self.default

    def open_entries(self) -> tuple[Entry[T], ...]:
        """Return this context's entries that have not ended, outermost first."""
        return tuple([entry for entry in self.entries.get() if not entry.ended])

    def push(self, value: T) -> Entry[T]:
        """Override the value in this context until `remove`."""
        entry = Entry(value)
        entry.token = self.entries.set((*self.open_entries(), entry))
        return entry

    def remove(self, entry: Entry[T]) -> None:
        """Undo `push`, from any context and in any order.

        A context that was copied inside the block, such as that of a task, keeps the value.
        """
        here = self.entries.get()
        try:
            self.entries.reset(entry.token)
        except ValueError:  # pushed in another context
            entry.ended = True
        if here and here[-1] is entry:
            others = here[:-1]
        else:
            others = tuple([other for other in here if other is not entry])
        if self.entries.get() != others:  # blocks were not exited in the reverse order of entry
            self.entries.set(others)

    def keep(self) -> None:
        """Keep the value in this context, even if the block that set it ends in another one."""
        self.entries.set(tuple([Entry(entry.value) for entry in self.open_entries()[-1:]]))

    def __get__(self, config: object, owner: type | None = None) -> T:
        return self.get()

    def __set__(self, config: object, value: T) -> None:
        self.default = type(self.default)(value)  # type: ignore[call-arg]


class Entry(Generic[T]):
    """Record one entry into a block.

    Attributes:
        value: the value of the setting inside the block.
        token: the `contextvars` token of the entry; it is valid only in the context of the entry.
        ended: whether the block has ended in all contexts.
        frame: the ``id`` of the frame that entered it; a ``with`` statement exits in that frame.
    """

    __slots__ = ("ended", "frame", "token", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self.ended = False
        self.frame = 0
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

    def __copy__(self) -> Block[T]:
        """Return a block that nobody has entered."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _open=[])
        return twin

    def __deepcopy__(self, memo: object) -> Block[T]:
        return self.__copy__()

    def new_value(self) -> T:
        """Return the value for one entry into the block; ``as`` binds it."""
        return self.value

    def __enter__(self) -> Any:
        entry = self.setting.push(self.new_value())
        entry.frame = id(sys._getframe(1))
        self._open.append(entry)
        return entry.value

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entry = self._pop_entry(id(sys._getframe(1)))
        if error_type is not None and issubclass(error_type, GeneratorExit):
            # The garbage collector may close a generator while another block is being entered.
            # That entry would overwrite a change of the context here.
            entry.ended = True
        else:
            self.setting.remove(entry)

    def _pop_entry(self, frame: int) -> Entry[T]:
        """Remove and return the entry made by ``frame``, or else one made in this context.

        A generator may be closed in another thread, and that thread may be in the same block.
        """
        latest_first = self._open[::-1]
        if not latest_first:
            raise RuntimeError("a block was exited more often than it was entered")
        entry = latest_first[0]
        if entry.frame != frame:
            here = self.setting.entries.get()
            entry = max(latest_first, key=lambda each: (each.frame == frame, each in here))
        self._open.remove(entry)
        return entry

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` inside the block; return its result."""
        with self:
            return function(*args, **kwargs)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function``; if it returns a generator or coroutine, its body runs inside too."""
        return call_by(self.run, function, *args, **kwargs)

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
            raise CallError(f"a block decorates functions and methods; {name} is neither")
        return wrapped(function, lambda: self.run)


def named_block(
    name: str, setting: Setting[T], value: T, function: Callable[..., Any] | None = None
) -> Any:
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
update_buffers = Setting("update_buffers", True)


class Configuration:
    """Hold the settings of DeZero; the only instance is ``Config``.

    Attributes:
        enable_backprop: whether calls record a graph (default True).
        exact: whether kernels that trade accuracy for speed are off (default False); see
            `precision`.
        train: whether layers behave as in training, so that dropout drops (default True).
        update_buffers: whether calls may change Buffers, such as the running statistics of batch
            norm (default True). It is False while `hessian`, a gradient check or `summary` calls a
            model. A layer with Buffers reads it before it changes them.
    """

    __slots__ = ()
    enable_backprop = enable_backprop
    exact = exact
    train = train
    update_buffers = update_buffers


Config = Configuration()


class using_config(Block[bool]):
    """Override one setting inside a ``with`` block or a decorated function; see `Block`.

    Args:
        name: ``"enable_backprop"``, ``"exact"``, ``"train"`` or ``"update_buffers"``.
        value: its value inside the block.

    Raises:
        UnknownName: there is no setting with this name.
    """

    def __init__(self, name: str, value: bool) -> None:
        setting = vars(Configuration).get(name) if isinstance(name, str) else None
        if not isinstance(setting, Setting):
            known = [key for key, item in vars(Configuration).items() if isinstance(item, Setting)]
            raise UnknownName(f"using_config: no setting {name!r}; there are {', '.join(known)}")
        super().__init__(setting, bool(value))


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Record no graph in this block: results have ``requires_grad`` False (book step 18).

    Use it as ``with no_grad():``, ``@no_grad()`` or ``@no_grad``; see `Block`.
    """
    return named_block("no_grad", enable_backprop, False, function)


def test_mode(function: Callable[..., Any] | None = None) -> Any:
    """Make layers behave as in evaluation: dropout drops nothing (book step 54).

    Use it as ``with test_mode():``, ``@test_mode()`` or ``@test_mode``; see `Block`.
    """
    return named_block("test_mode", train, False, function)


def precision(name: str) -> Block[bool]:
    """Return a block that forbids kernels that trade accuracy for speed, or allows them again.

    The only such kernel is Winograd: a float32 convolution with 3x3 filters loses about two bits,
    and an inf or NaN spreads to neighbouring outputs. A backward follows the block that it is
    called in, not that of the forward.

    Args:
        name: ``"exact"`` to forbid these kernels, ``"fast"`` to allow them.

    Raises:
        ArgumentError: ``name`` is neither.
    """
    if name not in ("exact", "fast"):
        raise ArgumentError(f"precision: {name!r} is neither 'exact' nor 'fast'")
    return Block(exact, name == "exact")


def inherit(function: F) -> F:
    """Return a function that runs ``function`` in a copy of the current context.

    The threads of an executor have contexts of their own, in which the blocks around
    ``executor.submit`` do not hold. The returned function keeps the overrides of all settings, and
    all other context variables, such as NumPy's ``errstate``::

        with no_grad(), test_mode():
            futures = [executor.submit(inherit(model), x) for x in batches]

    Use it with ``executor.submit``, ``executor.map``, ``Thread(target=...)`` and asyncio's
    ``run_in_executor``. The result may be called many times, also at the same time. Blocks of the
    thread that calls it do not hold inside. An executor's ``initializer`` is a separate call: what
    it inherits does not hold in later calls.

    Args:
        function: a function, a layer or another callable. As with `Block`, a generator or coroutine
            inherits for all of its steps.

    Raises:
        CallError: ``function`` is not callable; it may be the result of a call.
    """
    if not callable(function):
        raise CallError(
            f"inherit: {type(function).__name__} is not callable; expected the function itself, "
            "as in executor.submit(inherit(f), x)"
        )
    context = copy_context()
    for setting in _settings:
        context.run(setting.keep)
    return wrapped(function, lambda: context.copy().run)  # type: ignore[return-value]


# pytest collects functions called test_*; this one is not a test.
test_mode.__test__ = False  # type: ignore[attr-defined]
