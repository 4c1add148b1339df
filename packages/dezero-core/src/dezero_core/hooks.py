"""Register the hooks of a plugin so that its errors do not stop other plugins.

pluggy calls all implementations of a hook in one loop. If an implementation raises, the loop ends.
Therefore each implementation is wrapped in a function that catches and reports its exceptions. An
implementation that raises is treated as if it had returned None, and a wrapper that raises is
skipped.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Mapping
from contextvars import ContextVar
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any, NamedTuple, TypeVar

import pluggy

from .errors import DataMissing, DezeroError, PluginError
from .hookspecs import DEZERO_API, HOOK_VERSIONS, hookimpl

T = TypeVar("T")

PLUGIN_ERRORS = (Exception, SystemExit)
"""Exceptions that do not stop the program if a plugin raises them, or calls ``sys.exit``."""


class Answer(NamedTuple):
    """The return value of one hook implementation.

    Attributes:
        objects: the list that the implementation returned.
        plugin: the name of the plugin.
        order: the sort key; return values with lower keys take precedence.
    """

    objects: list[Any]
    plugin: str
    order: tuple[bool, int, int]


answers: ContextVar[list[Answer]] = ContextVar("dezero.answers")
"""The return values of all implementations in the current call of a hook."""


class Hooks:
    """The object that pluggy registers for a plugin.

    Args:
        plugin: an object with ``DEZERO_API`` and functions marked with ``hookimpl``.
        name: the name of the plugin.
        manager: the pluggy manager, which finds the marked functions.
        fail: a function that is called as ``fail(reason)`` for each error.
        is_ours: whether the plugin is one of DeZero's own, which take precedence.
        position: the number of plugins that were registered before this plugin.

    Attributes:
        left_out: one sentence for each hook that is left out, with the reason.

    Raises:
        PluginError: ``DEZERO_API`` is missing, or is a version that DeZero does not support.
    """

    def __init__(
        self,
        plugin: object,
        name: str,
        manager: pluggy.PluginManager,
        fail: Callable[[str], None],
        is_ours: bool,
        position: int,
    ) -> None:
        versions = requested_versions(plugin, name)
        self.left_out: list[str] = []
        implemented = set()
        for attribute in dir(plugin):
            options = manager.parse_hookimpl_opts(plugin, attribute)
            if not options:
                near = similar_hook(attribute)
                if near and inspect.isroutine(getattr(plugin, attribute)):
                    self.left_out.append(f"{attribute} is left out: {near} needs @hookimpl")
                continue
            hook = options.get("specname") or attribute
            implemented.add(hook)
            problem = mismatch(hook, versions.get(hook, 1))
            if options.get("hookwrapper"):
                self.left_out.append(f"{attribute} is left out: use wrapper=True, not hookwrapper")
                continue
            if problem:
                if hook in HOOK_VERSIONS or not options.get("optionalhook"):
                    self.left_out.append(problem)
                continue
            rank = bool(options.get("trylast")) - bool(options.get("tryfirst"))
            guard = Guard(hook, name, (not is_ours, rank, position), fail)
            function = guard(getattr(plugin, attribute), options)
            setattr(self, attribute, hookimpl(function, **options))
        for hook in sorted(versions.keys() - HOOK_VERSIONS.keys() - implemented):
            if similar_hook(hook):  # a misspelt name
                self.left_out.append(mismatch(hook, versions[hook]))


def call_plugin(function: Callable[[], T], what: str, error_type: type[DezeroError]) -> T:
    """Call a plugin's function; raise ``error_type`` for its errors, except DeZero's own."""
    try:
        return function()
    except DezeroError:
        raise
    except PLUGIN_ERRORS as error:
        raise error_type(f"{what} raised {type(error).__name__}: {error}") from error


def requested_versions(plugin: object, name: str) -> dict[str, Any]:
    """Return a dictionary from hook names to the versions in a plugin's ``DEZERO_API``.

    Raises:
        PluginError: ``DEZERO_API`` is missing, or is a version that DeZero does not support.
    """
    api = getattr(plugin, "DEZERO_API", None)
    if isinstance(api, dict):
        return api
    if api is None:
        problem = f"has no DEZERO_API; write `DEZERO_API = {DEZERO_API}` in its module"
    elif isinstance(api, bool) or api not in HOOK_VERSIONS.values():
        problem = f"asks for API {api!r}; this version offers {DEZERO_API}"
    else:
        return dict.fromkeys(HOOK_VERSIONS, api)
    raise PluginError(f"plugin {name!r} {problem}")


def similar_hook(name: str) -> str:
    """Return the hook that ``name`` is or misspells, or an empty string."""
    return "".join(get_close_matches(name, HOOK_VERSIONS, 1, cutoff=0.9))


def mismatch(hook: str, version: object) -> str:
    """Return why DeZero does not use this version of a hook; an empty string if it does."""
    if hook not in HOOK_VERSIONS:
        near = get_close_matches(hook, HOOK_VERSIONS, 1)
        hint = f"did you mean {near[0]}" if near else f"hooks: {', '.join(HOOK_VERSIONS)}"
        return f"{hook} is left out: this version of DeZero has no such hook; {hint}"
    offered = HOOK_VERSIONS[hook]
    if isinstance(version, bool) or version != offered:
        return f"{hook} is left out: it is for version {version!r}, DeZero offers {offered}"
    return ""


class Guard:
    """Wrap the implementations of one hook of a plugin, so that ``fail(reason)`` reports errors.

    ``order`` is the sort key of an `Answer`.
    """

    def __init__(
        self, hook: str, plugin: str, order: tuple[bool, int, int], fail: Callable[[str], None]
    ) -> None:
        self.hook, self.plugin, self.order, self.fail = hook, plugin, order, fail
        self.is_list = hook != "dezero_fetch"  # dezero_fetch returns a path

    def __call__(
        self, function: Callable[..., Any], options: Mapping[str, Any]
    ) -> Callable[..., Any]:
        if not options.get("wrapper"):
            return self.implementation(function)
        if not inspect.isgeneratorfunction(function):
            return function  # pluggy raises an error: a wrapper must be a generator function
        return self.wrapper(function)

    def report(self, error: BaseException) -> None:
        """Report an exception of the plugin."""
        self.fail(f"{self.hook} raised {type(error).__name__}: {error}")

    def implementation(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap an implementation that is not a hook wrapper; call it until it returns objects."""
        known: list[Any] = []

        @wraps(function)
        def call(*arguments: object, **keywords: object) -> Any:
            try:
                result = known or function(*arguments, **keywords)
                if not self.is_list:
                    return result
                if isinstance(result, Iterable):
                    known[:] = result
                    return self.record(list(known))
            except DataMissing as error:
                if not self.is_list:
                    raise  # the plugin knows the requested file, but cannot get it
                self.report(error)
            except PLUGIN_ERRORS as error:
                self.report(error)
            else:
                self.fail(f"{self.hook} returned {type(result).__name__}, not a list")
            return None

        return call

    def wrapper(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a hook wrapper: a generator function that yields once while implementations run."""

        @wraps(function)
        def around(*arguments: object, **keywords: object) -> Generator[None, Any, Any]:
            try:
                inner = function(*arguments, **keywords)
                next(inner)
            except StopIteration:
                self.fail(f"{self.hook}: its wrapper did not yield")
                return (yield)
            except PLUGIN_ERRORS as error:
                self.report(error)
                return (yield)
            before, thrown = None, None
            try:
                before = yield
                resume = partial(inner.send, before)
            except BaseException as error:  # raise the error in the wrapper, as pluggy does
                thrown = error
                resume = partial(inner.throw, error)
            try:
                return self.valid_result(before, finish(resume))
            except PLUGIN_ERRORS as error:
                if error is thrown:
                    raise
                self.report(error)
            if thrown is not None:
                raise thrown
            return before

        return around

    def valid_result(self, before: object, after: object) -> Any:
        """Return the result ``after`` a wrapper if it is valid, else the result ``before`` it."""
        if not self.is_list:
            return after
        if isinstance(after, list) and all(isinstance(objects, list | tuple) for objects in after):
            for objects in after:
                self.record(list(objects))  # objects that the wrapper added belong to its plugin
            return after
        self.fail(
            f"{self.hook}: its wrapper returned {type(after).__name__}; expected a list with a "
            "list for each plugin, such as the one that `yield` gives"
        )
        return before

    def record(self, objects: list[Any]) -> Any:
        """Record the objects that this plugin returned, for `Plugins.call`, and return them."""
        found = answers.get(None)
        if found is not None:
            found.append(Answer(objects, self.plugin, self.order))
        return objects


def finish(resume: Callable[[], Any]) -> Any:
    """Run a wrapper from its ``yield`` to its end, and return the result of the wrapper.

    Raises:
        PluginError: the wrapper yielded a second time.
    """
    try:
        resume()
    except StopIteration as end:
        return end.value
    raise PluginError("a wrapper must yield exactly once")
