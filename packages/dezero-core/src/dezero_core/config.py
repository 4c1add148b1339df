"""Define settings: process-wide defaults that context managers override per thread and task.

Reading a setting gives its value in the current context (`contextvars`). A context manager
overrides the value in the current context only. Assigning to a setting changes the process-wide
default::

    with no_grad():               # overrides a setting in this thread and task
        y = model(x)
    Config.train = False          # changes the default for all threads and tasks

The threads of a pool do not see the caller's overrides; see `inherit`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from .bodies import call_by, wrapped
from .errors import ArgumentError, CallError, UnknownName

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_settings: list[Setting[Any]] = []
"""All settings; `inherit` passes their overrides to another thread."""


class Setting(Generic[T]):
    """A property with a process-wide default; a `Block` overrides the value in the current context.

    Args:
        name: a label for debuggers.
        default: the value without an override.
        choices: the allowed values; with () (default), any value is converted to the type of
            ``default``.
    """

    def __init__(self, name: str, default: T, choices: tuple[T, ...] = ()) -> None:
        self.name, self.default, self.choices = name, default, choices
        self.entries: ContextVar[tuple[Entry[T], ...]] = ContextVar(f"dezero.{name}", default=())
        _settings.append(self)

    def get(self) -> T:
        """Return the value of the innermost `Block` that has not ended, else the default."""
        entries = self.entries.get()
        if entries and entries[-1].ended:
            entries = self.open_entries()
            self.entries.set(entries)
        return entries[-1].value if entries else self.default

    def open_entries(self) -> tuple[Entry[T], ...]:
        """Return this context's entries that have not ended, outermost first."""
        return tuple([entry for entry in self.entries.get() if not entry.ended])

    def push(self, value: T) -> Entry[T]:
        """Override the value in this context until `remove` is called."""
        entry = Entry(value)
        entry.token = self.entries.set((*self.open_entries(), entry))
        return entry

    def remove(self, entry: Entry[T]) -> None:
        """Undo `push`; entries may be removed from any context and in any order.

        A context that was copied inside the ``with`` block, such as a task's, keeps the value.
        """
        here = self.entries.get()
        try:
            self.entries.reset(entry.token)
        except ValueError:  # the value was set in another context
            entry.ended = True
        if here and here[-1] is entry:
            others = here[:-1]
        else:
            others = tuple([other for other in here if other is not entry])
        if self.entries.get() != others:  # Blocks were not exited in reverse order of entry
            self.entries.set(others)

    def keep(self) -> None:
        """Keep the current value in this context, even if the override ends in another context."""
        self.entries.set(tuple([Entry(entry.value) for entry in self.open_entries()[-1:]]))

    def __get__(self, config: object, owner: type | None = None) -> T:
        return self.get()

    def __set__(self, config: object, value: T) -> None:
        self.default = self.checked(value)

    def checked(self, value: Any) -> T:
        """Return ``value``, converted to the type of the default, or raise `ArgumentError`."""
        if isinstance(self.default, bool) and value not in (True, False):
            raise ArgumentError(f"{self.name}: {value!r}; expected True or False")
        if not self.choices:
            return type(self.default)(value)  # type: ignore[call-arg]
        if not isinstance(value, str) or value not in self.choices:
            names = ", ".join(map(repr, self.choices))
            raise ArgumentError(f"{self.name}: {value!r} is not one of {names}")
        return value


@dataclass(slots=True, eq=False)
class Entry(Generic[T]):
    """Represent one entry into a `Block`.

    Attributes:
        value: the value of the setting inside the ``with`` block.
        token: the `contextvars` token of the entry; it is valid only in the context of the entry.
        ended: whether the override has ended in all contexts.
        frame: the ``id`` of the stack frame that entered the `Block`; ``with`` exits in that frame.
    """

    value: T
    token: Any = None
    ended: bool = False
    frame: int = 0


class Block(Generic[T]):
    """Override a setting inside a ``with`` block or a decorated function.

    One `Block` may be entered many times, nested or in several threads and tasks, and exited in
    any order. As a decorator, a `Block` overrides the setting while the body of a function,
    generator, coroutine or asynchronous generator runs. While a generator is suspended, the
    caller's value applies.

    Args:
        setting: the setting to override, in this thread and task only.
        value: the value of the setting inside the ``with`` block.
    """

    def __init__(self, setting: Setting[T], value: T) -> None:
        self.setting, self.value = setting, value
        self._open: list[Entry[T]] = []

    def __copy__(self) -> Block[T]:
        """Return a copy of this `Block` that has not been entered."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _open=[])
        return twin

    def __deepcopy__(self, memo: object) -> Block[T]:
        return self.__copy__()

    def new_value(self) -> T:
        """Return the value to set on entry; ``with ... as`` binds this value."""
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
            # The garbage collector may close a generator while another Block is being entered.
            # A change to the context made here would be undone, so only mark the entry as ended.
            entry.ended = True
        else:
            self.setting.remove(entry)

    def _pop_entry(self, frame: int) -> Entry[T]:
        """Remove and return the entry that ``frame`` made, or else an entry made in this context.

        A generator may be closed by another thread, which may also have entered this `Block`.
        """
        latest_first = self._open[::-1]
        if not latest_first:
            raise RuntimeError("a context manager was exited more often than it was entered")
        entry = latest_first[0]
        if entry.frame != frame:
            here = self.setting.entries.get()
            entry = max(latest_first, key=lambda each: (each.frame == frame, each in here))
        self._open.remove(entry)
        return entry

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` inside this context manager, and return its result."""
        with self:
            return function(*args, **kwargs)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` as `run` does; also run a generator or coroutine that is returned."""
        return call_by(self.run, function, *args, **kwargs)

    def __call__(self, function: Any) -> Any:
        """Decorate a function so that its body runs inside this context manager.

        Args:
            function: a function, method, generator function, coroutine function or
                asynchronous generator function.

        Raises:
            CallError: ``function`` is a class or is not callable.
        """
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self(function.__func__))
        if not callable(function) or isinstance(function, type):
            name = getattr(function, "__name__", type(function).__name__)
            raise CallError(f"a context manager decorates functions and methods; {name} is neither")
        return wrapped(function, lambda: self.run)


def named_block(
    name: str, setting: Setting[T], value: T, function: Callable[..., Any] | None = None
) -> Any:
    """Return a `Block`, or decorate ``function`` with the `Block` if ``function`` is given.

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
float32_precision = Setting("float32_precision", "float32", ("float32", "tf32", "bf16"))
train = Setting("train", True)
update_buffers = Setting("update_buffers", True)


class Configuration:
    """Hold the settings of DeZero; the only instance is ``Config``.

    Attributes:
        enable_backprop: whether calls record a graph (default True).
        exact: whether kernels that trade accuracy for speed are disabled (default False); see
            `precision`.
        float32_precision: how a GPU multiplies float32: ``"float32"`` (default), ``"tf32"`` or
            ``"bf16"``; see `precision`.
        train: whether layers run in training mode, in which dropout is active (default True).
        update_buffers: whether calls may change Buffers, such as the running statistics of batch
            norm (default True). ``update_buffers`` is False while `hessian`, a gradient check or
            `summary` calls a model. A layer checks ``update_buffers`` before it changes its
            Buffers.
    """

    __slots__ = ()
    enable_backprop = enable_backprop
    exact = exact
    float32_precision = float32_precision
    train = train
    update_buffers = update_buffers


Config = Configuration()


class using_config(Block[Any]):
    """Override one setting inside a ``with`` block or a decorated function; see `Block`.

    Args:
        name: an attribute of ``Config``, such as ``"train"``; see `Configuration`.
        value: the value of the setting inside the ``with`` block.

    Raises:
        UnknownName: there is no setting with this name.
        ArgumentError: the setting does not allow this value.
    """

    def __init__(self, name: str, value: Any) -> None:
        setting = vars(Configuration).get(name) if isinstance(name, str) else None
        if not isinstance(setting, Setting):
            known = [key for key, item in vars(Configuration).items() if isinstance(item, Setting)]
            raise UnknownName(f"using_config: no setting {name!r}; there are {', '.join(known)}")
        super().__init__(setting, setting.checked(value))


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Disable recording of the graph: results have ``requires_grad`` False (book step 18).

    Use `no_grad` as ``with no_grad():``, ``@no_grad()`` or ``@no_grad``; see `Block`.
    """
    return named_block("no_grad", enable_backprop, False, function)


def test_mode(function: Callable[..., Any] | None = None) -> Any:
    """Run layers in evaluation mode, in which dropout is inactive (book step 54).

    Use `test_mode` as ``with test_mode():``, ``@test_mode()`` or ``@test_mode``; see `Block`.
    """
    return named_block("test_mode", train, False, function)


def precision(name: str) -> Block[Any]:
    """Return a context manager that chooses how accurately matmuls and convolutions are computed.

    ``"exact"`` and ``"fast"`` disable and enable kernels that trade accuracy for speed. The only
    such kernel is Winograd: a float32 convolution with 3x3 filters loses about two bits, and an
    inf or NaN spreads to neighbouring outputs.

    ``"float32"``, ``"tf32"`` and ``"bf16"`` choose how a GPU multiplies float32 arrays.
    ``"float32"`` rounds no factor, ``"tf32"`` rounds the factors to 10 fraction bits (NVIDIA's
    TensorFloat-32), and ``"bf16"`` rounds them to bfloat16. Sums and results are float32.
    NumPy and other backends never round the factors.

    A backward pass uses the setting at the call of ``backward()``, not that of the forward pass.
    ``Config.float32_precision = "tf32"`` changes the default of the process.

    Raises:
        ArgumentError: ``name`` is none of these five names.
    """
    if name in ("exact", "fast"):
        return Block(exact, name == "exact")
    if name not in float32_precision.choices:
        names = ", ".join(map(repr, float32_precision.choices))
        raise ArgumentError(f"precision: {name!r} is none of 'exact', 'fast', {names}")
    return Block(float32_precision, name)


def inherit(function: F) -> F:
    """Return a function that runs ``function`` in a copy of the current context.

    Each thread of an executor has its own context, so overrides around ``executor.submit`` do not
    apply in the thread. The returned function applies the current overrides of all settings, and
    all other context variables, such as NumPy's ``errstate``::

        with no_grad(), test_mode():
            futures = [executor.submit(inherit(model), x) for x in batches]

    Use `inherit` with ``executor.submit``, ``executor.map``, ``Thread(target=...)`` and asyncio's
    ``run_in_executor``. The returned function may be called many times, also concurrently.
    Overrides in the thread that calls the returned function do not apply inside ``function``. An
    executor's ``initializer`` is a separate call: overrides that the initializer inherits do not
    apply to later calls.

    Args:
        function: a function, a layer or another callable. All steps of a generator or coroutine run
            in the copied context.

    Raises:
        CallError: ``function`` is not callable, as in ``inherit(model(x))`` instead of
            ``inherit(model)``.
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
