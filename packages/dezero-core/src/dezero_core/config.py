"""Settings: one process-wide default each, overridden per thread and task.

Reading gives the value of the current context (`contextvars`); the context managers override
it there and nowhere else; assignment sets the default of the process::

    with no_grad():               # this thread, this task, this block
        y = model(x)
    Config.train = False          # everybody who has no override
"""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

from .errors import ArgumentError, UnknownName


class Setting:
    """A property with a process default and an override per context (None: no override)."""

    def __init__(self, name: str, default: bool) -> None:
        self.default = default
        self.override: ContextVar[bool | None] = ContextVar(f"dezero.{name}", default=None)

    def __get__(self, config: object, owner: type | None = None) -> bool:
        value = self.override.get()
        return self.default if value is None else value

    def __set__(self, config: object, value: bool) -> None:
        self.default = bool(value)


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


class using_config(ContextDecorator):
    """Override one setting inside a ``with`` block or a decorated function.

    Raises:
        UnknownName: there is no setting of that name.
    """

    def __init__(self, name: str, value: bool) -> None:
        setting = vars(Configuration).get(name)
        if not isinstance(setting, Setting):
            known = [key for key, item in vars(Configuration).items() if isinstance(item, Setting)]
            raise UnknownName(f"using_config: no setting {name!r}; there are {', '.join(known)}")
        self.name, self.value = name, value
        self._override = setting.override
        self._token: Token[bool | None] | None = None

    def _recreate_cm(self) -> using_config:
        """A decorated function may call itself: every call gets a block of its own."""
        return using_config(self.name, self.value)

    def __enter__(self) -> None:
        self._token = self._override.set(bool(self.value))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            self._override.reset(self._token)


def no_grad() -> using_config:
    """Record no graph in this block: results have ``requires_grad`` False (book step 18)."""
    return using_config("enable_backprop", False)


def test_mode() -> using_config:
    """Layers behave as in evaluation: dropout passes everything on (book step 54)."""
    return using_config("train", False)


def precision(name: str) -> using_config:
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
    return using_config("exact", name == "exact")


# pytest collects functions called test_*; this one is not a test.
test_mode.__test__ = False  # type: ignore[attr-defined]

__all__: list[Any] = ["Config", "Configuration", "no_grad", "test_mode", "using_config"]
