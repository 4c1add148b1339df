"""The contract between DeZero and its plugins, on one page.

A plugin is an installed distribution with an entry point in the group ``dezero``. The object
it names is cheap to import (no array library), carries ``DEZERO_API = 1`` and implements any
of these hooks with ``@hookimpl`` (from ``dezero_core.extend``). Hooks *register*: each is
called once per plugin, when something is first looked up; none is called on the path of an op.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

DEZERO_API = 1
"""Major version of this contract; a plugin of another major is refused with a sentence."""

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


@hookspec
def dezero_fetch(name: str) -> Any:
    """The local path of the published file ``name``, downloaded if it must be; None if unknown.

    Called plugin by plugin when somebody asks for the file; the first path wins.
    """


@hookspec
def dezero_op_cases() -> Iterable[Any]:  # type: ignore[empty-body]
    """`OpCase` and `Check` objects: what the tests and the conformance kit run for this package.

    A row says what an op computes; a check is anything else that must hold on every backend.
    """
