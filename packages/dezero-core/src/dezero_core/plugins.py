"""Find and load plugins at first use, and record those that fail.

`import dezero_core` reads no entry points. When a `Catalog` (of backends, kernels or weight
formats) lacks a name, it calls `plugins.scan()`, which loads the installed plugins once per
process. See docs/adr/0003.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, fields, replace
from functools import partial
from threading import RLock
from time import thread_time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pluggy

from . import hookspecs
from .errors import INSTALL_HINTS, OUR_PLUGINS, MissingPackage, PluginError, PluginWarning
from .hooks import PLUGIN_ERRORS, Answer, Hooks, answers
from .hookspecs import GROUP

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

SLOW = 1.0
"""Seconds of CPU time that a third-party plugin may take to import without a warning."""

FIELD_TYPES: dict[str, Any] = {"str": str, "int": int, "Callable": Callable}
"""The classes of the fields of registered objects, by the first word of the annotation."""


@dataclass(frozen=True)
class PluginStatus:
    """The state of one plugin.

    Attributes:
        name: the name of the entry point, or the name passed to `Plugins.register`.
        distribution: the name and version of the plugin's distribution, as ``"name version"``.
        state: ``"loaded"``, ``"partial"`` (some of its hooks are left out), ``"failed"`` or
            ``"blocked"`` (by the environment).
        reason: why the plugin or some of its hooks are not loaded, or any other problem of the
            plugin; empty if there is no problem.
    """

    name: str
    distribution: str
    state: str
    reason: str = ""

    def provides(self, wanted: str) -> bool:
        """Return whether ``wanted`` is the name of the plugin or of its distribution."""
        return wanted in (self.name, *self.distribution.split(" ")[:1])


class Plugins:
    """The plugins of this process, with the state of each.

    Attributes:
        lock: held while plugins are added or removed, and while a cache is filled from them. All
            catalogs and caches share one lock, so that threads cannot deadlock.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._status: dict[str, PluginStatus] = {}
        self._scanned = False
        self._registered = 0
        self.lock = RLock()
        self._listeners: list[Callable[[], None]] = []

    def register(self, plugin: object, name: str, distribution: str = "this program") -> None:
        """Register a plugin object; call this for a plugin that has no entry point.

        A hook whose version is different from DeZero's is left out with a `PluginWarning`.

        Args:
            plugin: an object with ``DEZERO_API`` and hook implementations.
            name: a name that no other plugin has.
            distribution: the distribution of the plugin, for messages.

        Raises:
            PluginError: another plugin has this name, or ``DEZERO_API`` is a version that DeZero
                does not support.
            pluggy.PluginValidationError: an implementation has an argument that its hook does not
                have.
        """
        with self.lock:
            if self._manager.has_plugin(name):
                owner = self._status[name].distribution
                raise PluginError(f"plugin name {name!r} is taken by {owner}")
            is_ours = sys.modules.get(OUR_PLUGINS.get(name, "")) is plugin
            fail, position = partial(self.fail, name), self._registered
            hooks = Hooks(plugin, name, self._manager, fail, is_ours, position)
            self._manager.register(hooks, name)
            self._registered += 1
            state, reason = "partial" if hooks.left_out else "loaded", "; ".join(hooks.left_out)
            self._status[name] = PluginStatus(name, distribution, state, reason)
            self._changed()
        for problem in hooks.left_out:
            warnings.warn(f"plugin {name!r} of {distribution}: {problem}", PluginWarning, 2)

    def unregister(self, name: str) -> None:
        """Remove a plugin, failed or not, and everything that it registered."""
        with self.lock:
            self._manager.unregister(name=name)
            del self._status[name]
            self._changed()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Register a function to call, with `lock` held, when a plugin is added or removed."""
        self._listeners.append(listener)

    def scan(self) -> bool:
        """Load the installed plugins at the first call; return whether this was the first call."""
        with self.lock:
            if self._scanned:
                return False
            self._scanned = True
            from importlib.metadata import entry_points  # slow to import, and rarely needed

            # DeZero's plugins come first, so that no other plugin can take their names. The other
            # plugins are sorted by name, because the order of entry points depends on sys.path.
            found = sorted(entry_points(group=GROUP), key=lambda e: (not _is_ours(e), e.name))
            known = {*OUR_PLUGINS, *(entry.name for entry in found)}
            unknown = ", ".join(name for name in _selected_names() or () if name not in known)
            if unknown:
                message = f"no plugin is called {unknown}; known: {', '.join(sorted(known))}"
                warnings.warn(f"DEZERO_PLUGINS: {message}", PluginWarning, stacklevel=4)
            for entry in found:
                self._load(entry)
            return True

    def _load(self, entry: EntryPoint) -> None:
        dist = entry.dist
        distribution = f"{dist.name} {dist.version}" if dist else "an unknown distribution"
        if blocked := _blocked_by_environment(entry):
            key = distribution if entry.name in self._status else entry.name
            self._status[key] = PluginStatus(entry.name, distribution, "blocked", blocked)
            return
        start = thread_time()  # CPU time, because imports take longer while other processes run
        try:
            if entry.name in OUR_PLUGINS and not _is_ours(entry):
                owner = OUR_PLUGINS[entry.name].partition(".")[0].replace("_", "-")
                raise PluginError(
                    f"the name {entry.name!r} belongs to {owner}; rename the entry point in the "
                    f"group {GROUP!r}"
                )
            self.register(entry.load(), entry.name, distribution)
        except PLUGIN_ERRORS as error:
            self.fail(entry.name, f"{type(error).__name__}: {error}", distribution)
            return
        seconds = thread_time() - start
        if seconds > SLOW and not _is_ours(entry):  # do not warn about DeZero's plugins
            reason = f"slow: {seconds:.1f} s of CPU time at import; plugins import no array library"
            known = self._status[entry.name]
            reasons = "; ".join(filter(None, (known.reason, reason)))
            self._status[entry.name] = replace(known, reason=reasons)
            warnings.warn(f"plugin {entry.name!r} is {reason}", PluginWarning, stacklevel=4)

    def fail(self, name: str, reason: str, distribution: str = "") -> None:
        """Record that plugin ``name`` failed, and warn once about the failure."""
        with self.lock:
            known = self._status.get(name)
            if known is not None and known.state == "failed":
                return
            distribution = distribution or (known.distribution if known else "this program")
            # A second distribution may have a plugin with the same name; store the status of both.
            key = name if known is None or known.distribution == distribution else distribution
            self._status[key] = PluginStatus(name, distribution, "failed", reason)
        warnings.warn(
            f"plugin {name!r} of {distribution} is left out: {reason}", PluginWarning, stacklevel=3
        )

    def statuses(self) -> list[PluginStatus]:
        """Return the state of every plugin found so far, sorted by name."""
        return sorted([*self._status.values()], key=lambda status: status.name)

    def call(self, hook: str) -> list[tuple[Any, str]]:
        """Call a hook of all plugins; return every registered object with the name of its plugin.

        The objects are in the order of precedence of their plugins; see `hookspecs`.
        """
        found: list[Answer] = []
        token = answers.set(found)
        try:
            results = getattr(self._manager.hook, hook)()
        finally:
            answers.reset(token)
        # A wrapper may move an object to another list. The object still belongs to the plugin
        # that returned it first.
        of_list = {id(answer.objects): answer for answer in reversed(found)}
        of_object = {id(t): answer for answer in reversed(found) for t in answer.objects}
        owned = [
            (item, of_list.get(id(objects)) or of_object[id(item)])
            for objects in results
            for item in objects
        ]
        owned.sort(key=lambda pair: pair[1].order)
        return [(item, answer.plugin) for item, answer in owned]

    def fetch(self, name: str) -> Any:
        """Return the local path of a published file from the first plugin that knows the file.

        Raises:
            DataMissing: a plugin knows the file, but the file is not on this machine and cannot be
                downloaded.
            PluginError: no installed plugin knows the file, or dezero-io is not loaded.
        """
        self.scan()
        path = self._manager.hook.dezero_fetch(name=name)
        if path is not None:
            return path
        self.raise_if_left_out("dezero-io")
        somebody = self._manager.hook.dezero_fetch.get_hookimpls()
        hint = self.left_out() if somebody else f". {INSTALL_HINTS['dezero-io']}"
        raise PluginError(f"no installed plugin knows the published file {name!r}{hint}")

    def raise_if_left_out(
        self, wanted: str, distribution: str | None = None, problem: str = ""
    ) -> None:
        """Raise `PluginError` if an installed plugin ``wanted`` is not fully loaded.

        If no such plugin is installed, and ``distribution`` is the distribution of DeZero that
        contains the plugin, raise `MissingPackage` with ``problem`` and the command to install.
        """
        for status in self.statuses():
            if status.state != "loaded" and status.provides(wanted):
                raise PluginError(
                    f"{wanted!r} is installed ({status.distribution}) "
                    f"but {status.state}: {status.reason}"
                )
        if distribution is not None:
            raise MissingPackage(f"{problem}. {INSTALL_HINTS[distribution]}")

    def left_out(self) -> str:
        """List the plugins that are not fully loaded, for messages about missing names.

        The result is an empty string if all plugins are loaded.
        """
        names = [f"{s.name} ({s.state})" for s in self.statuses() if s.state != "loaded"]
        return f"; not loaded: {', '.join(names)}: see `dezero info`" if names else ""


class Catalog(Generic[T]):
    """A dictionary from keys to the objects that plugins register through one hook.

    A catalog calls the hook at the first look-up.

    Args:
        hook: the name of the hook.
        kind: the class of the registered objects; objects of other classes are refused.
        keys: a function that returns the keys of an object.
        clash: a function that returns whether two objects with a common key conflict (default:
            always True). An object that conflicts with an earlier object is refused.
    """

    def __init__(
        self, hook: str, kind: type[T], keys: Callable[[T], Iterable[Hashable]],
        clash: Callable[[T, T], bool] = lambda one, other: True,
    ) -> None:  # fmt: skip
        self._hook, self._kind, self._keys, self._clash = hook, kind, keys, clash
        self._reset()
        plugins.on_change(self._reset)

    def _reset(self) -> None:
        self._found: dict[Hashable, T] = {}
        self._owner: dict[Hashable, str] = {}
        self._gathered = False

    def get(self, *keys: Hashable) -> T | None:
        """Return the object of the first of ``keys`` that is registered, else None.

        If none of the keys is registered, collect the objects of newly registered plugins, then
        load the installed plugins.
        """
        with plugins.lock:
            found = self._first(keys)
            if found is None:
                self._gather()
                found = self._first(keys)
            if found is None and plugins.scan():
                self._gather()
                found = self._first(keys)
            return found

    def _first(self, keys: tuple[Hashable, ...]) -> T | None:
        return next((self._found[key] for key in keys if key in self._found), None)

    def items(self) -> list[tuple[T, str]]:
        """Load the installed plugins; return every registered object and the name of its plugin."""
        with plugins.lock:
            plugins.scan()
            self._gather()
            unique = {id(item): (item, self._owner[key]) for key, item in self._found.items()}
            return list(unique.values())

    def _gather(self) -> None:
        if self._gathered:
            return
        # Set the flag first, because a hook may call get(), or register a plugin, which resets the
        # flag.
        self._gathered = True
        objects = plugins.call(self._hook)
        self._found, self._owner = {}, {}
        for item, plugin in objects:
            if refusal := self._refusal(item):
                plugins.fail(plugin, f"{self._hook}: {refusal}")
                continue
            for key in self._keys(item):
                self._found[key], self._owner[key] = item, plugin

    def _refusal(self, item: object) -> str:
        if not isinstance(item, self._kind):
            return f"expected {self._kind.__name__} objects, got {type(item).__name__}"
        for x in fields(item):  # type: ignore[arg-type]
            given, expected = getattr(item, x.name), FIELD_TYPES.get(x.type.partition("[")[0])
            if expected and not isinstance(given, expected) and given is not x.default:
                return f"{self._kind.__name__}: {x.name} is {given!r}; expected {expected.__name__}"
        held = [(key, self._found.get(key)) for key in self._keys(item)]
        taken = [key for key, other in held if other is not None and self._clash(item, other)]
        return f"{taken[0]!r} is taken by plugin {self._owner[taken[0]]!r}" if taken else ""


def _is_ours(entry: EntryPoint) -> bool:
    """Return whether an entry point has the name and the module of one of DeZero's own plugins.

    A third-party distribution may claim any entry point name. To replace one of DeZero's modules,
    such a distribution would have to replace a package such as ``dezero_nn``.
    """
    return entry.name in OUR_PLUGINS and entry.value == OUR_PLUGINS[entry.name]


def _selected_names() -> list[str] | None:
    """Return the names in DEZERO_PLUGINS, or None if the variable is not set."""
    given = os.environ.get("DEZERO_PLUGINS")
    return None if given is None else [p.strip() for p in given.split(",") if p.strip()]


def _blocked_by_environment(entry: EntryPoint) -> str:
    """Return why an environment variable excludes a plugin, or an empty string."""
    if os.environ.get("DEZERO_DISABLE_PLUGINS", "") not in ("", "0") and not _is_ours(entry):
        return "DEZERO_DISABLE_PLUGINS is set, which excludes all plugins but DeZero's own"
    listed = _selected_names()
    if listed is None or entry.name in listed:
        return ""
    given, more = os.environ["DEZERO_PLUGINS"], ",".join([*listed, entry.name])
    return f"DEZERO_PLUGINS={given} does not list it; to load it: DEZERO_PLUGINS={more}"


plugins = Plugins()
"""The plugins of this process."""


def _open_lock() -> None:
    """Replace the lock in a forked child, because a thread of the parent may have held the lock."""
    plugins.lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_lock)
