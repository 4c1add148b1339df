"""Find the backend of an array, or the backend with a given name."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from ..errors import (
    BACKEND_HINTS,
    NONE_IS_NO_ARRAY,
    BackendMismatch,
    PluginError,
    UnknownName,
    UnsupportedType,
)
from ..hints import DEVICES
from ..hooks import call_plugin
from ..plugins import Catalog, plugins
from .host import HOST
from .interface import CAPABILITIES, Array, ArrayBackend, BackendSpec

catalog: Catalog[BackendSpec] = Catalog(
    "dezero_backends", BackendSpec, lambda spec: (spec.name, *spec.array_types)
)
"""The registered backends by name and by array type; only the strings of types contain a colon."""
by_type: dict[type, ArrayBackend] = {}
"""A dictionary from plain array types to backends, filled at first use and read by every op."""
_subclasses: dict[type, ArrayBackend] = {}
"""A dictionary from array types to backends, for arrays that must be converted to plain arrays."""
current_device: dict[type, Callable[[Array], AbstractContextManager[object]]] = {}
"""A dictionary from array types to functions `on_device`, for libraries with a current device."""
_any_device = nullcontext()
_made: dict[BackendSpec, ArrayBackend] = {}
"""Backends created so far; they stay the same objects when plugins are added or removed."""


for _types in (by_type, _subclasses, current_device):
    plugins.on_change(_types.clear)


def backend_of(x: Array) -> ArrayBackend:
    """Return the backend of array ``x``.

    Raises:
        UnsupportedType: no registered library has arrays of this type.
    """
    return by_type.get(type(x)) or _subclasses.get(type(x)) or _backend_of_new_type(type(x))


def _backend_of_new_type(cls: type) -> ArrayBackend:
    with plugins.lock:  # held until the type is cached: a new plugin clears the caches
        spec = catalog.get(*(f"{base.__module__}:{base.__qualname__}" for base in cls.__mro__))
        if spec is not None:
            backend = _create_backend(spec)
            if backend.on_device is not None:  # first, as `by_type` is read unlocked
                current_device[cls] = backend.on_device
            (by_type if backend.is_plain(cls) else _subclasses)[cls] = backend
            return backend
    if cls is type(None):
        raise UnsupportedType(NONE_IS_NO_ARRAY)
    known = ", ".join(name for spec, _ in catalog.items() for name in spec.array_types)
    raise UnsupportedType(
        f"{cls.__name__} is not supported: expected an array ({known}); make an array of it first"
    )


def on_device_of(*arrays: Array) -> AbstractContextManager[object]:
    """Return a context manager that makes the device of ``arrays`` the current device.

    Raises:
        BackendMismatch: the arrays are on different devices.
    """
    for x in arrays if current_device else ():
        on_device = current_device.get(type(x))
        if on_device is not None:
            device = backend_of(x).device
            if any(type(y) is type(x) and device(y) != device(x) for y in arrays):
                found = ", ".join(sorted({str(device(y)) for y in arrays if type(y) is type(x)}))
                raise BackendMismatch(f"arrays on different devices ({found}); move them to one")
            return on_device(x)
    return _any_device


def get_backend(name: str) -> ArrayBackend:
    """Return the backend registered as ``name``; create it at first use.

    Raises:
        PluginError: the backend's plugin failed or is blocked; the message gives the reason.
        MissingPackage: the distribution that registers the backend is not installed.
        UnknownName: no plugin registers a backend with this name.
    """
    name = str(getattr(name, "__name__", name))  # a dtype given by mistake has a short name
    spec = catalog.get(name) if ":" not in name else None
    if spec is not None:
        return _create_backend(spec)
    problem = f"backend {name!r} is not installed"
    plugins.raise_if_left_out(name, BACKEND_HINTS.get(name), problem)
    device = name.partition(":")[0]
    hint = f"; in DeZero: {DEVICES[device]}" if device in DEVICES else ""
    raise UnknownName(
        f"unknown backend {name!r}; registered: {', '.join(backend_names())}{hint}"
        f"{plugins.left_out()}"
    )


def backend_names() -> list[str]:
    """Return the names of all registered backends."""
    return [spec.name for spec, _ in catalog.items()]


def default_backend() -> ArrayBackend:
    """Return the backend for new arrays: ``DEZERO_BACKEND`` if it is set, else NumPy."""
    return get_backend(os.environ.get("DEZERO_BACKEND") or HOST)


def accelerator() -> ArrayBackend:
    """Return the backend with capability ``accelerator``, to which ``to_gpu()`` moves arrays.

    Raises:
        MissingPackage: no accelerator is registered.
        UnknownName: two or more accelerators are registered; use ``to(name)`` instead.
    """
    specs = [spec for spec, _ in catalog.items() if "accelerator" in spec.capabilities]
    if not specs:
        return get_backend(*BACKEND_HINTS)  # raises an error that says what to install
    if len(specs) > 1:
        names = ", ".join(spec.name for spec in specs)
        raise UnknownName(f"to_gpu(): several accelerators ({names}); choose one with to(name)")
    return _create_backend(specs[0])


def _create_backend(spec: BackendSpec) -> ArrayBackend:
    """Return the backend of ``spec``; all threads get the same object."""
    with plugins.lock:
        if spec not in _made:
            if unknown := spec.capabilities - CAPABILITIES:
                raise UnknownName(
                    f"backend {spec.name!r} declares {sorted(unknown)}: expected capabilities "
                    f"from {', '.join(sorted(CAPABILITIES))}"
                )
            factory = f"backend {spec.name!r}: its factory"
            backend = call_plugin(spec.factory, factory, PluginError)
            if not isinstance(backend, ArrayBackend):
                raise PluginError(
                    f"{factory} returned {type(backend).__name__}; expected an ArrayBackend; "
                    "for an array namespace xp, return ArrayBackend(xp)"
                )
            backend.name, backend.capabilities = spec.name, spec.capabilities
            _made[spec] = backend
        return _made[spec]
