"""Load the rows and checks of all packages and plugins; check that rows detect wrong gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from dezero_core import Function, Variable
from dezero_core.errors import MissingPackage, PluginError
from dezero_core.extend import Array, plugins

from .check import Check
from .gradients import GradientError, check_gradients
from .op_case import OpCase

PACKAGES = ("core", "nn", "io")
"""Packages of DeZero; modules of the same names in `dezero_testing.rows` define their rows."""


def load_rows(plugin: str) -> list[OpCase]:
    """Return the rows of one package of DeZero, or of one plugin.

    Args:
        plugin: ``"core"``, ``"nn"``, ``"io"``, or the name of a plugin with ``dezero_op_cases``.

    Raises:
        MissingPackage: the package is not installed.
        PluginError: the plugin does not exist, failed to load, or is excluded by an environment
            variable.
    """
    return [case for case in load_cases(plugin) if isinstance(case, OpCase)]


def load_cases(plugin: str) -> list[OpCase | Check]:
    """Return the rows and checks of one package of DeZero, or of one plugin; see `load_rows`."""
    require(plugin)
    if plugin not in PACKAGES:
        return [case for case, owner in plugins.call("dezero_op_cases") if owner == plugin]
    found: list[OpCase | Check] = import_module(f"dezero_testing.rows.{plugin}").cases()
    return found


def load_all_cases() -> Iterator[OpCase | Check]:
    """Yield the rows and checks of all packages and plugins that are loaded.

    A plugin that registers an object of a type other than `OpCase` and `Check` is skipped with a
    `PluginWarning`.
    """
    skipped = reasons_to_skip()
    for package in PACKAGES:
        if package not in skipped:
            yield from load_cases(package)
    for case, plugin in plugins.call("dezero_op_cases"):
        if isinstance(case, OpCase | Check):
            yield case
        else:
            kind = type(case).__name__
            plugins.fail(plugin, f"dezero_op_cases: expected OpCase or Check objects, got {kind}")


def reasons_to_skip() -> dict[str, str]:
    """Return the packages of DeZero that cannot be used: a dictionary from names to reasons."""
    found = {}
    for package in PACKAGES:
        try:
            require(package)
        except (MissingPackage, PluginError) as error:
            found[package] = str(error)
    return found


def require(plugin: str) -> None:
    """Check that the rows of a plugin can be loaded; otherwise raise the errors of `load_rows`."""
    plugins.scan()
    plugins.raise_if_left_out(plugin)
    if plugin in PACKAGES:
        if find_spec(f"dezero_{plugin}") is None:
            raise MissingPackage(f"dezero-{plugin} is not installed: pip install dezero-{plugin}")
        return
    known = dict.fromkeys([*PACKAGES, *(status.name for status in plugins.statuses())])
    if plugin not in known:
        raise PluginError(f"no plugin is called {plugin!r}; known: {', '.join(known)}")


class Scaled(Function):
    """Return the input, but with a wrong derivative: 1.01 instead of 1."""

    def forward(self, x: Array) -> Array:
        return +x

    def backward(self, gy: Array | Variable) -> Any:
        return gy * 1.01


def check_sensitivity(case: OpCase, position: int) -> None:
    """Check that the row fails when the gradient of one input is off by one percent.

    Raises:
        AssertionError: the row passes although it should fail.
    """

    def wrong(*xs: Variable) -> Any:
        return case.function(*[Scaled()(x) if p == position else x for p, x in enumerate(xs)])

    hosts = case.sample(case.shapes[0])
    check_gradients(
        case.function, *hosts, order=1, requires_grad=case.requires_grad(), backend="numpy"
    )
    try:
        replace(case, function=wrong, shapes=case.shapes[:1]).check("numpy")
    except GradientError as error:
        if f"input {position}" in str(error):
            return
    raise AssertionError(f"{case.name}: input {position} may be wrong by 1 % without a failure")
