"""Define the hooks that plugins implement.

A plugin is an installed distribution with an entry point in the group ``dezero``. The object that
the entry point names has ``DEZERO_API = 1`` and implements any of these hooks with ``@hookimpl``
(from ``dezero_core.extend``). Importing this object must be cheap, so it must not import an array
library. Hooks only *register* objects: a hook is called when a name is first looked up, and no hook
is called while an op runs.

pluggy calls the hooks, so ``@hookimpl`` takes pluggy's options:

- ``tryfirst`` and ``trylast``: if two plugins register the same name, DeZero uses the object of the
  first plugin. DeZero's own plugins come first, then plugins with ``tryfirst``, then plugins
  without either option in the order of registration, then plugins with ``trylast``.
  ``dezero_fetch`` is called in pluggy's own order: if two plugins have the same options, the plugin
  registered last is called first.
- ``wrapper``: a generator function that yields once, while the implementations of all plugins run.
  ``yield`` gives the wrapper a list with one list for each plugin, and the wrapper returns such a
  list. An implementation with the older option ``hookwrapper`` is left out.
- ``specname``: the name of the hook, if the function has a different name. ``optionalhook``: the
  hook is ignored if this version of DeZero does not have it.

If an implementation raises, its plugin is recorded as failed, and the other plugins still work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

DEZERO_API = 1
"""The API version that a plugin declares; an integer is the version of every hook.

If the hooks of a plugin have different versions, the plugin declares a dictionary from hook names
to versions, such as ``DEZERO_API = {"dezero_kernels": 2}``. Hooks that are not in this dictionary
have version 1. A hook whose version is different from `HOOK_VERSIONS` is left out with a warning;
the plugin's other hooks still work.
"""

HOOK_VERSIONS = {
    "dezero_backends": 1,
    "dezero_kernels": 1,
    "dezero_weight_formats": 1,
    "dezero_fetch": 1,
    "dezero_communicators": 1,
    "dezero_op_cases": 1,
}
"""The version of each hook; increase it when a change breaks existing implementations."""

GROUP = "dezero"
"""The entry-point group of plugins, and the name of the pluggy project."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def dezero_backends() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `BackendSpec` objects: a name, its array types, and a factory called at first use.

    This hook is called when an unknown array type or backend name is looked up.
    """


@hookspec
def dezero_kernels() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `Kernel` objects: faster implementations of named ops for a named backend.

    This hook is called when an op with a declared signature first runs.
    """


@hookspec
def dezero_weight_formats() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `WeightFormat` objects: each reads and writes the files with one suffix.

    This hook is called when weights are first saved or loaded.
    """


@hookspec(firstresult=True)
def dezero_fetch(name: str) -> Any:
    """Return the local path of a published file, or None if this plugin does not know the file.

    The plugin downloads the file if needed. pluggy calls the plugins one by one until one returns
    a path.
    """


@hookspec
def dezero_communicators() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return `CommunicatorSpec` objects: engines that connect the processes of a job.

    This hook is called when a program asks for the other processes of its job.
    """


@hookspec
def dezero_op_cases() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return the `OpCase` and `Check` objects with which dezero-testing tests this plugin.

    An `OpCase` compares an op with a reference; a `Check` is any other test of a backend.
    Only dezero-testing calls this hook, so an implementation may import dezero-testing.
    """
