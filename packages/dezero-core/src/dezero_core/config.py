"""Settings: one process-wide default each, overridden per thread and task by blocks.

Reading gives the value of the current context (`contextvars`); the blocks override it there
and nowhere else; assignment sets the default of the process::

    with no_grad():               # this thread, this task, this block
        y = model(x)
    Config.train = False          # everybody who has no override

Every block is also a decorator, see `Block`. The threads of a pool have no overrides; `inherit`
passes the caller's overrides to them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar, Token, copy_context
from types import TracebackType
from typing import Any, Generic, TypeVar

from .bodies import wrapped
from .errors import ArgumentError, CallError, UnknownName

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_settings: list[Setting[Any]] = []
"""Every setting, for `inherit`."""


class Setting(Generic[T]):
    """A property with a process-wide default, which blocks override in their context.

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
            entries = self.forget_ended()
        return entries[-1].value if entries else self.default

    def forget_ended(self) -> tuple[Entry[T], ...]:
        """Drop this context's entries that have ended, and return the others."""
        entries = tuple([entry for entry in self.entries.get() if not entry.ended])
        self.entries.set(entries)
        return entries

    def push(self, value: T) -> Entry[T]:
        """Override the value in this context until `remove`."""
        entry = Entry(value)
        others = self.entries.get()
        if others:
            others = tuple([other for other in others if not other.ended])
        entry.token = self.entries.set((*others, entry))
        return entry

    def remove(self, entry: Entry[T]) -> None:
        """Undo `push`, from any context and in any order.

        A context that was copied inside of the block, such as a task's, keeps the value.
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
        if self.entries.get() != others:  # not exited in the reverse order of entry
            self.entries.set(others)

    def keep(self) -> None:
        """Keep the value in this context, even when the block that set it ends elsewhere."""
        if self.entries.get():
            self.entries.set(tuple([Entry(entry.value) for entry in self.forget_ended()[-1:]]))

    def __get__(self, config: object, owner: type | None = None) -> T:
        return self.get()

    def __set__(self, config: object, value: T) -> None:
        self.default = type(self.default)(value)  # type: ignore[call-arg]


class Entry(Generic[T]):
    """One entry into a block.

    Attributes:
        value: the setting's value inside the block.
        token: the `contextvars` token from entering; only the context of entry can use it.
        ended: whether the block has ended for every context.
        frame: identifies the frame that entered it, which a ``with`` statement also exits in.
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

    def __deepcopy__(self, memo: Any) -> Block[T]:
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
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entry = self._leaving(id(sys._getframe(1)))
        if kind is not None and issubclass(kind, GeneratorExit):
            # The garbage collector may be closing a generator in the middle of another block's
            # entry. A change of the context here would then be lost in that one.
            entry.ended = True
        else:
            self.setting.remove(entry)

    def _leaving(self, frame: int) -> Entry[T]:
        """Remove and return the entry that ``frame`` exits: its own, else one of this context.

        A generator may be closed in another thread, which may be in this block itself.
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
        return wrapped(function, lambda: self.run)


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
update_buffers = Setting("update_buffers", True)


class Configuration:
    """The settings of DeZero; its one instance is ``Config``.

    Attributes:
        enable_backprop: record the graph of what is computed (default True).
        exact: no kernel trades digits for speed (default False); see `precision`.
        train: layers behave as in training, dropout drops (default True).
        update_buffers: calls may change Buffers, such as the running statistics of batch norm
            (default True). It is off while `hessian`, a gradient check or `summary` calls a
            model. A layer with its own Buffers checks it before it changes them.
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


def inherit(function: F) -> F:
    """Return a function that runs ``function`` with the overrides that hold here and now.

    The threads of an executor have no overrides: the blocks around ``executor.submit`` do not hold
    in them. The returned function takes along the overrides of all settings, and all other context
    variables, such as NumPy's ``errstate``::

        with no_grad(), test_mode():
            futures = [executor.submit(inherit(model), x) for x in batches]

    It is for ``executor.submit``, ``executor.map``, ``Thread(target=...)`` and asyncio's
    ``run_in_executor``. The result may be called many times, also at the same time. Blocks of the
    thread that calls it do not hold inside. An executor's ``initializer`` is a call of its own:
    what it inherits does not hold in later calls.

    Args:
        function: a function, layer, or anything else that can be called. As with `Block`, a
            generator or coroutine inherits for all of its steps.

    Raises:
        CallError: ``function`` cannot be called, such as the result of a call.
    """
    if not callable(function):
        raise CallError(
            f"inherit: {type(function).__name__} cannot be called; expected the function itself, "
            "as in executor.submit(inherit(f), x)"
        )
    context = copy_context()
    for setting in _settings:
        context.run(setting.keep)
    return wrapped(function, lambda: context.copy().run)  # type: ignore[return-value]


# pytest collects functions called test_*; this one is not a test.
test_mode.__test__ = False  # type: ignore[attr-defined]

__all__: list[Any] = [
    "Config",
    "Configuration",
    "inherit",
    "no_grad",
    "test_mode",
    "using_config",
]
