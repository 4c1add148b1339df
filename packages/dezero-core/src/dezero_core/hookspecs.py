"""The contract between DeZero and its plugins, on one page.

A plugin is an installed distribution with an entry point in the group ``dezero``. The object
it names is cheap to import (no array library), carries ``DEZERO_API = 1`` and implements any
of these hooks with ``@hookimpl`` (from ``dezero_core.extend``). Hooks *register*: each is
called when something is first looked up, and none is called on the path of an op.

Hooks are called by pluggy, so ``@hookimpl`` takes its options:

- ``tryfirst`` and ``trylast``: if two plugins register the same name, the earlier one keeps it.
  DeZero's own plugins come first, then those with ``tryfirst``, then the others in the order of
  registration, then those with ``trylast``. ``dezero_fetch`` is called in pluggy's own order:
  among equals, the one that was registered last comes first.
- ``wrapper`` (and the older ``hookwrapper``): a generator that yields once, around the
  implementations of all plugins. It gets a list of the plugins' lists, and returns such a list.
- ``specname``: the function has another name than its hook. ``optionalhook``: the hook may be
  unknown to this version of DeZero.

An implementation that raises is recorded as a failure of its plugin; the others still count.
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
"""The version of each hook; it changes when existing implementations would no longer work."""

GROUP = "dezero"
"""Entry-point group, and pluggy project name."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def dezero_backends() -> Iterable[Any]:  # type: ignore[empty-body]
    """`BackendSpec` objects: a name, the array types it owns, a factory called at first use.

    Called when an unknown array type or backend name first turns up.
    """


@hookspec
def dezero_kernels() -> Iterable[Any]:  # type: ignore[empty-body]
    """`Kernel` objects: faster implementations of named ops for a named backend.

    Called when an op that has a declared signature first runs.
    """


@hookspec
def dezero_weight_formats() -> Iterable[Any]:  # type: ignore[empty-body]
    """`WeightFormat` objects: by suffix, how ``{key: array}`` and metadata are written and read.

    Called when weights are first saved or loaded.
    """


@hookspec(firstresult=True)
def dezero_fetch(name: str) -> Any:
    """The local path of the published file ``name``, downloaded if it must be; None if unknown.

    pluggy calls the plugins one by one, until one returns a path.
    """


@hookspec
def dezero_op_cases() -> Iterable[Any]:  # type: ignore[empty-body]
    """`OpCase` and `Check` objects of dezero-testing: the rows and checks of this package.

    A row says what an op computes; a check is anything else that must hold on every backend.
    Only dezero-testing calls this hook, so an implementation may import it.
    """
