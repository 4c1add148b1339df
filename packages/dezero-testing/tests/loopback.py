"""A backend that is NumPy under another name, for tests that make it wrong on purpose.

Its arrays are a subclass of NumPy's that is registered by its own name; its namespace is a copy
of NumPy's whose functions can be replaced one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from dezero_core.backends.interface import CAPABILITIES
from dezero_core.extend import ArrayBackend, BackendSpec, hookimpl, rank_generator


class LoopArray(np.ndarray):
    """An array of the loopback backend."""


def as_loop(x: Any) -> Any:
    """Convert NumPy's arrays and scalars to arrays of this backend, and nothing else."""
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x).view(LoopArray)
    if isinstance(x, list | tuple) and any(isinstance(part, np.ndarray | np.generic) for part in x):
        parts = [as_loop(part) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return x


class Namespace:
    """The namespace: functions of a module of NumPy, which return arrays of this backend."""

    def __init__(self, module: ModuleType = np) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.module, name)
        if isinstance(value, ModuleType):
            return Namespace(value)
        if isinstance(value, type) or not callable(value):
            return value
        function: Callable[..., Any] = value

        @wraps(function, assigned=("__name__", "__doc__"), updated=())
        def wrapped(*arguments: Any, **settings: Any) -> Any:
            return as_loop(function(*arguments, **settings))

        return wrapped


class LoopBackend(ArrayBackend):
    """NumPy under another name."""

    def __init__(self) -> None:
        super().__init__(Namespace())

    def asarray(self, x: Any) -> Any:
        return x if isinstance(x, LoopArray) else as_loop(np.asarray(x))

    def from_numpy(self, x: Any) -> Any:
        return as_loop(np.array(x))

    def to_numpy(self, x: Any) -> Any:
        return np.array(x, subok=False)

    def get_item(self, x: Any, index: Any) -> Any:
        return as_loop(x[index])

    def scatter_add(self, x: Any, index: Any, values: Any) -> Any:
        np.add.at(x, index, values)
        return x

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return as_loop(rank_generator().random(shape).astype(dtype))


Change = Callable[[LoopBackend], None]


def plugin(name: str, change: Change | None = None) -> Any:
    """Return a plugin that registers the loopback backend as ``name``, perhaps changed."""

    def factory() -> ArrayBackend:
        backend = LoopBackend()
        if change is not None:
            change(backend)
        return backend

    @hookimpl
    def dezero_backends() -> list[BackendSpec]:
        types = (f"{LoopArray.__module__}:LoopArray",)
        declared = CAPABILITIES - {"accelerator", "devices", "lazy"}
        return [BackendSpec(name, types, factory, declared)]

    return SimpleNamespace(DEZERO_API=1, dezero_backends=dezero_backends)
