"""Find plugins, load them late and one by one, keep what fails out of the way and on record.

`import dezero_core` reads no entry point. A `Catalog` (backends, kernels, weight formats) that
misses a name calls `plugins.scan()`, once per process. See docs/adr/0003.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from threading import RLock
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pluggy

from . import hookspecs
from .errors import INSTALL_HINTS, DataMissing, PluginError, PluginWarning
from .hookspecs import DEZERO_API, GROUP

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

SLOW = 1.0
"""Seconds that a plugin may take to import before it is warned about."""


@dataclass(frozen=True)
class PluginStatus:
    """What is known about one plugin.

    Attributes:
        name: the entry point's name, or the name it was registered under.
        distribution: ``"name version"`` of the distribution it came in.
        state: ``"loaded"``, ``"failed"`` or ``"blocked"``.
        reason: why it failed or is blocked, or what is wrong with it though it is loaded;
            empty otherwise.
    """

    name: str
    distribution: str
    state: str
    reason: str = ""

    def provides(self, wanted: str) -> bool:
        """Whether this is the plugin somebody means who asks for ``wanted``."""
        return wanted in (self.name, *self.distribution.split(" ")[:1])


class Plugins:
    """The plugins of this process: a pluggy manager, a contained scan, and a record of failures.

    Attributes:
        lock: held while plugins are added or removed, and while a cache is filled from them. All
            catalogs and caches share it, so that threads do not deadlock.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._status: dict[str, PluginStatus] = {}
        self._scanned = False
        self.lock = RLock()
        self._listeners: list[Callable[[], None]] = []

    def register(self, plugin: object, name: str, distribution: str = "this program") -> None:
        """Add a plugin object, as an entry point would.

        Args:
            plugin: an object with ``DEZERO_API`` and hook implementations.
            name: a name no other plugin has.
            distribution: where it comes from, for messages.

        Raises:
            PluginError: the name is taken, or the plugin asks for another API version.
            pluggy.PluginValidationError: a hook has arguments the contract does not know.
        """
        api = getattr(plugin, "DEZERO_API", None)
        if api != DEZERO_API:
            if api is None:
                problem = f"has no DEZERO_API; write `DEZERO_API = {DEZERO_API}` in its module"
            else:
                problem = f"asks for API {api}; this version offers {DEZERO_API}"
            raise PluginError(f"plugin {name!r} {problem}")
        with self.lock:
            if self._manager.has_plugin(name):
                owner = self._status[name].distribution
                raise PluginError(f"plugin name {name!r} is taken by {owner}")
            self._manager.register(plugin, name)
            self._status[name] = PluginStatus(name, distribution, "loaded")
            self._changed()

    def unregister(self, name: str) -> None:
        """Take a plugin out again, failed or not; what it registered is forgotten."""
        with self.lock:
            self._manager.unregister(name=name)
            del self._status[name]
            self._changed()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener()`` under the lock whenever a plugin is added or removed."""
        self._listeners.append(listener)

    def scan(self) -> bool:
        """Load the installed plugins, once; say whether this call was the one that did."""
        with self.lock:
            if self._scanned:
                return False
            self._scanned = True
            from importlib.metadata import entry_points  # slow to import, seldom needed

            # Ours first, so that nobody can take a name of ours; then by name, since the
            # order of metadata depends on sys.path.
            for entry in sorted(entry_points(group=GROUP), key=lambda e: (not _is_ours(e), e.name)):
                self._load(entry)
            return True

    def _load(self, entry: EntryPoint) -> None:
        distribution = _distribution(entry)
        blocked = "" if _is_ours(entry) else _blocked_by_environment(entry.name)
        if blocked:
            self._status[entry.name] = PluginStatus(entry.name, distribution, "blocked", blocked)
            return
        start = perf_counter()
        try:
            self.register(entry.load(), entry.name, distribution)
        except (Exception, SystemExit) as error:  # a stranger's module does what it likes
            self.fail(entry.name, f"{type(error).__name__}: {error}", distribution)
            return
        seconds = perf_counter() - start
        if seconds > SLOW:
            reason = f"slow: {seconds:.1f} s to import; a plugin imports no array library"
            self._status[entry.name] = PluginStatus(entry.name, distribution, "loaded", reason)
            warnings.warn(f"plugin {entry.name!r} is {reason}", PluginWarning, stacklevel=4)

    def fail(self, name: str, reason: str, distribution: str = "") -> None:
        """Record that plugin ``name`` failed, and warn about it, once."""
        known = self._status.get(name)
        if known is not None and known.state == "failed":
            return
        distribution = distribution or (known.distribution if known else "this program")
        # A second distribution may use a loaded plugin's name; keep both on record.
        key = name if known is None or known.distribution == distribution else distribution
        self._status[key] = PluginStatus(name, distribution, "failed", reason)
        warnings.warn(
            f"plugin {name!r} of {distribution} is left out: {reason}", PluginWarning, stacklevel=3
        )

    def statuses(self) -> list[PluginStatus]:
        """Every plugin seen so far, sorted by name."""
        return sorted([*self._status.values()], key=lambda status: status.name)

    def loaded(self) -> list[str]:
        """Names of the registered plugins, first registered first."""
        return [name for name, _ in self._manager.list_name_plugin()]

    def results(self, hook: str, plugin: str, **arguments: Any) -> Iterator[Any]:
        """What one plugin returns from one hook; a raising hook is recorded, not passed on."""
        caller = getattr(self._manager.hook, hook)
        implementations = [i for i in caller.get_hookimpls() if i.plugin_name == plugin]
        for implementation in implementations:
            try:
                values = {name: arguments[name] for name in implementation.argnames}
                yield implementation.function(**values)
            except DataMissing:
                raise  # the plugin knows the file that was asked for, and cannot get it
            except Exception as error:
                self.fail(plugin, f"{hook} raised {type(error).__name__}: {error}")

    def fetch(self, name: str) -> Any:
        """The local path of the published file ``name`` from the first plugin that knows it.

        Raises:
            DataMissing: the file is known, but is nowhere and cannot be downloaded.
            PluginError: no installed plugin knows the file.
        """
        self.scan()
        for plugin in self.loaded():
            for path in self.results("dezero_fetch", plugin, name=name):
                if path is not None:
                    return path
        somebody = self._manager.hook.dezero_fetch.get_hookimpls()
        hint = "" if somebody else f". {INSTALL_HINTS['dezero-io']}"
        raise PluginError(f"no installed plugin knows the published file {name!r}{hint}")

    def raise_if_left_out(self, wanted: str) -> None:
        """Raise the recorded reason if ``wanted`` names a plugin that failed or is blocked."""
        for status in self.statuses():
            if status.state != "loaded" and status.provides(wanted):
                raise PluginError(
                    f"{wanted!r} is installed ({status.distribution}) "
                    f"but {status.state}: {status.reason}"
                )


class Catalog(Generic[T]):
    """Things registered through one hook, by key, gathered when a key is first missed.

    Args:
        hook: name of the hook.
        kind: the class every registered thing must have.
        keys: the keys a thing is found under; it is refused whole if one of them is taken.
    """

    def __init__(self, hook: str, kind: type[T], keys: Callable[[T], Iterable[Hashable]]) -> None:
        self._hook, self._kind, self._keys = hook, kind, keys
        self._reset()
        plugins.on_change(self._reset)

    def _reset(self) -> None:
        self._found: dict[Hashable, T] = {}
        self._owner: dict[Hashable, str] = {}
        self._asked: set[str] = set()

    def get(self, *keys: Hashable) -> T | None:
        """What is registered under the first of ``keys`` that is known, else None.

        If none is, plugins that came since the last call are asked, then a scan is made.
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
        """Everything registered, each with the name of its plugin, after a scan."""
        with plugins.lock:
            plugins.scan()
            self._gather()
            unique = {id(thing): (thing, self._owner[key]) for key, thing in self._found.items()}
            return list(unique.values())

    def _gather(self) -> None:
        for plugin in plugins.loaded():
            if plugin not in self._asked:
                self._asked.add(plugin)
                for things in plugins.results(self._hook, plugin):
                    self._add_all(things, plugin)

    def _add_all(self, things: Any, plugin: str) -> None:
        try:
            listed = list(things)
        except TypeError:
            plugins.fail(plugin, f"{self._hook} returned {type(things).__name__}, not a list")
            return
        for thing in listed:
            refusal = self._refusal(thing)
            if refusal:
                plugins.fail(plugin, f"{self._hook}: {refusal}")
                continue
            for key in self._keys(thing):
                self._found[key], self._owner[key] = thing, plugin

    def _refusal(self, thing: Any) -> str:
        if not isinstance(thing, self._kind):
            return f"expected {self._kind.__name__} objects, got {type(thing).__name__}"
        taken = [key for key in self._keys(thing) if key in self._found]
        return f"{taken[0]!r} is taken by plugin {self._owner[taken[0]]!r}" if taken else ""


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _is_ours(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name in INSTALL_HINTS


def _blocked_by_environment(name: str) -> str:
    """Why the environment keeps third party ``name`` out; empty if it does not."""
    if os.environ.get("DEZERO_DISABLE_PLUGINS", "") not in ("", "0"):
        return "DEZERO_DISABLE_PLUGINS is set"
    allowed = os.environ.get("DEZERO_PLUGINS")
    if allowed is not None and name not in [part.strip() for part in allowed.split(",")]:
        return f"DEZERO_PLUGINS={allowed} does not list it"
    return ""


plugins = Plugins()
"""The one set of plugins of this process."""


def _open_lock() -> None:
    """Replace the lock in a forked child: a thread of the parent may hold it."""
    plugins.lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_lock)
