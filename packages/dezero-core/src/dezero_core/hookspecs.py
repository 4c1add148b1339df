"""The contract between DeZero and its plugins, on one page.

A plugin is an installed distribution with an entry point in the group ``dezero``. The object
it names is cheap to import (no array library), carries ``DEZERO_API = 1`` and implements any
of these hooks with ``@hookimpl`` (from ``dezero_core.extend``). Hooks only *register* objects: each
is called when a name is first looked up, and none is called while an op runs.

Hooks are called by pluggy, so ``@hookimpl`` takes its options:

- ``tryfirst`` and ``trylast``: if two plugins register the same name, the earlier one keeps it.
  DeZero's own plugins come first, then those with ``tryfirst``, then the others in the order of
  registration, then those with ``trylast``. ``dezero_fetch`` is called in pluggy's own order:
  among equals, the one that was registered last comes first.
- ``wrapper`` (and the older ``hookwrapper``): a generator that yields once, around the
  implementations of all plugins. It gets a list of the plugins' lists, and returns such a list.
- ``specname``: the name of the hook, if the function has another one. ``optionalhook``: this
  version of DeZero may not have the hook.

If an implementation raises, its plugin is recorded as failed, and the other plugins still work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

DEZERO_API = 1
"""The API version to write into a plugin: an integer is the version of every hook.

A plugin that needs other versions of some hooks names them, as in
``DEZERO_API = {"dezero_kernels": 2}``. Hooks that it does not name have version 1. A hook whose
version is not the one in `HOOK_VERSIONS` is left out with a warning; the rest of the plugin works.
"""

HOOK_VERSIONS = {
    "dezero_backends": 1,
    "dezero_kernels": 1,
    "dezero_weight_formats": 1,
    "dezero_fetch": 1,
    "dezero_op_cases": 1,
}
"""The version of each hook; it changes when existing implementations no longer work."""

GROUP = "dezero"
"""The entry-point group of plugins, and the name of the pluggy project."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def dezero_backends() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `BackendSpec` objects: a name, its array types, and a factory called at first use.

    Called when an array type or backend name is first unknown.
    """


@hookspec
def dezero_kernels() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `Kernel` objects: faster implementations of named ops for a named backend.

    Called when an op that has a declared signature first runs.
    """


@hookspec
def dezero_weight_formats() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `WeightFormat` objects: by suffix, how weights and metadata are written and read.

    Called when weights are first saved or loaded.
    """


@hookspec(firstresult=True)
def dezero_fetch(name: str) -> Any:
    """Return the local path of a published file, downloaded if needed; None if it is unknown.

    pluggy calls the plugins one by one until one returns a path.
    """


@hookspec
def dezero_op_cases() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `OpCase` and `Check` objects of dezero-testing: the tests of this package.

    An `OpCase` compares an op with a reference; a `Check` is any other test of a backend.
    Only dezero-testing calls this hook, so an implementation may import it.
    """
