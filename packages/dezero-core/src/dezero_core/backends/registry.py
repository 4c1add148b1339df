"""Which backend owns an array, and which goes by a name."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from ..errors import (
    BACKEND_HINTS,
    INSTALL_HINTS,
    BackendMismatch,
    MissingPackage,
    UnknownName,
    UnsupportedType,
)
from ..hints import DEVICES
from ..plugins import Catalog, plugins
from .host import HOST
from .interface import CAPABILITIES, Array, ArrayBackend, BackendSpec


def _keys(spec: BackendSpec) -> tuple[str, ...]:
    return (spec.name, *spec.array_types)  # a type has a colon in it, a name has none


catalog: Catalog[BackendSpec] = Catalog("dezero_backends", BackendSpec, _keys)
by_type: dict[type, ArrayBackend] = {}
"""Backends by plain array type, filled on first use; ops look here."""
_subclasses: dict[type, ArrayBackend] = {}
"""Backends by array type that `admit` converts to a plain array, filled on first use."""
current_device: dict[type, Callable[[Array], AbstractContextManager[object]]] = {}
"""How the device of an array becomes the current one, for types where that can be another."""
_made: dict[BackendSpec, ArrayBackend] = {}
"""Backends created so far; they stay the same objects when plugins are added or removed."""


def _forget_types() -> None:
    by_type.clear()
    _subclasses.clear()
    current_device.clear()


def _forget() -> None:
    """Clear the backends too, for tests that change what a library finds at startup."""
    _forget_types()
    _made.clear()


plugins.on_change(_forget_types)


def backend_of(x: Array) -> ArrayBackend:
    """The backend that owns array ``x``.

    Raises:
        UnsupportedType: no registered library has arrays of this type.
    """
    return by_type.get(type(x)) or _subclasses.get(type(x)) or _backend_of_new_type(type(x))


def admit(x: Array) -> Array:
    """Return array ``x`` as Variables hold it; see `ArrayBackend.admit`.

    Raises:
        UnsupportedType: no registered library has arrays of this type, or its elements are not
            booleans, integers or real numbers.
    """
    return backend_of(x).admit(x)


def _backend_of_new_type(kind: type) -> ArrayBackend:
    with plugins.lock:  # until the type is cached: registering a plugin empties the caches
        spec = catalog.get(*(f"{base.__module__}:{base.__qualname__}" for base in kind.__mro__))
        if spec is not None:
            backend = _make(spec)
            if backend.on_device is not None:  # before `by_type`, which threads read unlocked
                current_device[kind] = backend.on_device
            (by_type if backend.is_plain(kind) else _subclasses)[kind] = backend
            return backend
    known = ", ".join(name for spec, _ in catalog.items() for name in spec.array_types)
    raise UnsupportedType(
        f"{kind.__name__} is not supported: expected an array ({known}); make an array of it first"
    )


def on_device_of(*arrays: Array) -> AbstractContextManager[object]:
    """A block in which the device of ``arrays`` is the current one of their library.

    Raises:
        BackendMismatch: they are on several devices.
    """
    for x in arrays if current_device else ():
        on_device = current_device.get(type(x))
        if on_device is not None:
            device = backend_of(x).device
            if any(type(y) is type(x) and device(y) != device(x) for y in arrays):
                places = ", ".join(sorted({str(device(y)) for y in arrays if type(y) is type(x)}))
                raise BackendMismatch(f"arrays on several devices ({places}); move them to one")
            return on_device(x)
    return nullcontext()


def get_backend(name: str) -> ArrayBackend:
    """The backend registered as ``name``, made at first use.

    Raises:
        PluginError: its plugin failed or is blocked (the recorded reason).
        MissingPackage: the distribution that would register it is not installed.
        UnknownName: nobody registers it.
    """
    name = str(getattr(name, "__name__", name))  # such as a dtype, which is not a backend either
    spec = catalog.get(name) if ":" not in name else None
    if spec is not None:
        return _make(spec)
    plugins.raise_if_left_out(name)
    if name in BACKEND_HINTS:
        hint = INSTALL_HINTS[BACKEND_HINTS[name]]
        raise MissingPackage(f"backend {name!r} is not installed. {hint}")
    device = name.partition(":")[0]
    hint = f"; in DeZero: {DEVICES[device]}" if device in DEVICES else ""
    raise UnknownName(
        f"unknown backend {name!r}; registered: {', '.join(backend_names())}{hint}"
        f"{plugins.left_out()}"
    )


def backend_names() -> list[str]:
    """Names of all registered backends."""
    return [spec.name for spec, _ in catalog.items()]


def default_backend() -> ArrayBackend:
    """Where new arrays are made: the one ``DEZERO_BACKEND`` names, else NumPy's."""
    return get_backend(os.environ.get("DEZERO_BACKEND") or HOST)


def accelerator() -> ArrayBackend:
    """The one backend with capability ``accelerator``: where ``to_gpu()`` goes.

    Raises:
        MissingPackage: there is none.
        UnknownName: there are several; move with ``to(name)`` instead.
    """
    specs = [spec for spec, _ in catalog.items() if "accelerator" in spec.capabilities]
    if not specs:
        return get_backend(*BACKEND_HINTS)  # raises, naming what to install or what failed
    if len(specs) > 1:
        names = ", ".join(spec.name for spec in specs)
        raise UnknownName(f"to_gpu(): several accelerators ({names}); use to(name)")
    return _make(specs[0])


def _make(spec: BackendSpec) -> ArrayBackend:
    """Return the backend of ``spec``; all threads get the same object."""
    with plugins.lock:
        if spec not in _made:
            unknown = spec.capabilities - CAPABILITIES
            if unknown:
                raise UnknownName(f"backend {spec.name!r} declares {sorted(unknown)}")
            backend = spec.factory()
            backend.name, backend.capabilities = spec.name, spec.capabilities
            _made[spec] = backend
        return _made[spec]
