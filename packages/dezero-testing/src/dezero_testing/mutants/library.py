"""Define NumPy under another name as a library whose calls can be recorded and made wrong.

Every function, operator and method of the backend goes through `Library.call`. The methods of the
backend are the defaults of `ArrayBackend`, so the recorded names are what DeZero needs of a
library that has only the array API standard.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from dezero_core.extend import ArrayBackend, BackendSpec, hookimpl

NAME = "mutant"
"""The name of the backend."""

Hook = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


def run_unchanged(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], settings: dict[str, Any]
) -> Any:
    """Run a call without a change."""
    return function(*arguments, **settings)


class Library:
    """Run every call of the library through one hook.

    Attributes:
        hook: a function of a call's name, function, arguments and keyword arguments; it returns
            the result of the call.
    """

    def __init__(self) -> None:
        self.hook: Hook = run_unchanged

    def call(
        self, name: str, function: Callable[..., Any], *arguments: Any, **settings: Any
    ) -> Any:
        """Run one call through the hook, which also gets the calls that the function makes."""
        hook = self.hook
        if hook is run_unchanged:
            return function(*arguments, **settings)
        return hook(name, function, arguments, settings)


library = Library()


class MutantArray(np.ndarray):
    """An array of the library; its operators go through `Library.call`."""

    @property
    def mT(self) -> Any:
        return library.call("mT", _method("swapaxes"), self, -1, -2)

    @property
    def T(self) -> Any:
        return library.call("T", _method("transpose"), self)


def wrap(x: Any) -> Any:
    """Convert NumPy's arrays and scalars to arrays of the library, also in tuples and lists."""
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x).view(MutantArray)
    if isinstance(x, list | tuple) and any(isinstance(part, np.ndarray | np.generic) for part in x):
        parts = [wrap(part) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return x


def unwrap(x: Any) -> Any:
    """Convert arrays of the library to NumPy's arrays, also in tuples and lists."""
    if isinstance(x, MutantArray):
        return x.view(np.ndarray)
    if type(x) in (list, tuple):
        return type(x)([unwrap(part) for part in x])
    return x


def on_numpy(function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """Call a function of NumPy with arrays of the library; return arrays of the library."""
    host = [unwrap(x) for x in arguments]
    y = function(*host, **{name: unwrap(x) for name, x in settings.items()})
    for x, stripped in zip(arguments, host, strict=True):
        if y is stripped:
            return x  # an operator that writes to its first argument returns this argument
    return wrap(y)


def _method(name: str) -> Callable[..., Any]:
    return partial(on_numpy, getattr(np.ndarray, name))


def _operator(name: str) -> Callable[..., Any]:
    function = _method(name)

    def operator(self: Any, *arguments: Any) -> Any:
        return library.call(name, function, self, *arguments)

    return operator


BINARY = "add sub mul truediv floordiv mod pow matmul and or xor".split()
OPERATORS = [
    *(f"__{prefix}{name}__" for name in BINARY for prefix in ("", "r", "i")),
    *(f"__{name}__" for name in "eq ne lt le gt ge neg pos abs invert".split()),
    *(f"__{name}__" for name in "getitem setitem bool int float index".split()),
]
for _name in OPERATORS:
    setattr(MutantArray, _name, _operator(_name))


class Namespace:
    """A module of NumPy whose functions go through `Library.call`."""

    def __init__(self, module: ModuleType, prefix: str = "") -> None:
        self._module, self._prefix = module, prefix

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if isinstance(value, ModuleType):
            return Namespace(value, f"{name}.")
        if isinstance(value, type) or not callable(value):
            return value
        return partial(library.call, self._prefix + name, partial(on_numpy, value))


EXTRAS = (
    "from_numpy to_numpy asarray copy zeros scalar_like arange admit get_item sum argsort "
    "scatter_add pad sliding_windows uniform bernoulli iadd"
).split()
"""Methods of the backend that go through `Library.call`, under names such as ``backend.pad``."""


class MutantBackend(ArrayBackend):
    """The defaults of `ArrayBackend` on the library."""

    def __init__(self) -> None:
        super().__init__(Namespace(np))
        for name in EXTRAS:
            setattr(self, name, partial(library.call, f"backend.{name}", getattr(self, name)))

    def from_numpy(self, x: Any) -> Any:
        return wrap(np.array(x))

    def to_numpy(self, x: Any) -> Any:
        return np.array(x, subok=False)

    def scatter_add(self, x: Any, index: Any, values: Any) -> Any:
        x[...] = super().scatter_add(x, index, values)
        return x

    def is_view(self, x: Any) -> bool:
        return x.base is not None and x.base.base is not None  # `wrap` makes a view of each array


@hookimpl
def dezero_backends() -> list[BackendSpec]:
    """Register the library of mutants as a backend."""
    declared = frozenset({"dlpack", "float64", "in_place", "index_errors", "scatter_add"})
    return [BackendSpec(NAME, (f"{__name__}:MutantArray",), MutantBackend, declared)]


plugin = SimpleNamespace(DEZERO_API=1, dezero_backends=dezero_backends)
"""A plugin that registers the library."""
