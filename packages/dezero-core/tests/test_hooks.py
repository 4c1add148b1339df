"""Check that pluggy's options work, and that an error in a hook affects only its plugin."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dezero_core.backends.kernels import all_kernels, kernels_for
from dezero_core.errors import DataMissing, PluginError, PluginWarning, UnknownName
from dezero_core.extend import (
    ArrayBackend,
    BackendSpec,
    Kernel,
    backend_names,
    get_backend,
    hookimpl,
    plugins,
)
from dezero_core.hookspecs import HOOK_VERSIONS

Add = Callable[..., str]


@pytest.fixture
def add() -> Iterator[Add]:
    """``add(name, DEZERO_API=..., hook=...)`` registers a plugin for one test; returns its name."""
    added: list[str] = []

    def register(name: str, plugin: Any = None, **attributes: Any) -> str:
        plugin = plugin or SimpleNamespace(**{"DEZERO_API": 1, **attributes})
        plugins.register(plugin, name, f"{name}-dist 1.0")
        added.append(name)
        return name

    yield register
    for name in added:
        plugins.unregister(name)


def backend(name: str, owner: str = "") -> BackendSpec:
    return BackendSpec(name, (f"{owner or name}:Array",), lambda: ArrayBackend(None))


def providing(*names: str, owner: str = "", **options: Any) -> Any:
    """Return an implementation of dezero_backends."""
    return hookimpl(lambda: [backend(name, owner) for name in names], **options)


def types_of(name: str) -> tuple[str, ...]:
    return next(
        spec.array_types for spec, _ in plugins.call("dezero_backends") if spec.name == name
    )


class Owned(SimpleNamespace):
    """A function with the name of its owner."""

    def __call__(self) -> None:
        """Do nothing."""


def kernel(owner: str, priority: int = 0) -> Kernel:
    return Kernel("test op", "numpy", Owned(owner=owner), priority=priority)


def test_a_wrapper_is_called_once_around_all(add: Add) -> None:
    seen: list[Any] = []

    @hookimpl(wrapper=True)
    def dezero_backends() -> Any:
        found = yield
        seen.append(found)
        return [[spec for spec in specs if spec.name != "b1"] for specs in found]

    add("w", dezero_backends=dezero_backends)
    add("b", dezero_backends=providing("b1", "b2"))
    names = backend_names()
    assert "b1" not in names and {"b2", "numpy"} <= {*names}
    assert len(seen) == 1 and ["b1", "b2"] in [[spec.name for spec in specs] for specs in seen[0]]
    with pytest.raises(UnknownName):
        get_backend("b1")
    assert {s.name: s.state for s in plugins.statuses()}["w"] == "loaded"


def test_objects_keep_their_plugin_through_a_wrapper(add: Add) -> None:
    @hookimpl(wrapper=True)
    def dezero_kernels() -> Any:
        found = yield
        return [[k for ks in found for k in ks], [kernel("w", 1)]]  # new lists of the same things

    add("w", dezero_kernels=dezero_kernels)
    add("k", dezero_kernels=hookimpl(lambda: [kernel("k")]))
    owners = {k.priority: owner for k, owner in all_kernels() if k.op == "test op"}
    assert owners == {0: "k", 1: "w"}


def test_an_old_style_wrapper_is_left_out(add: Add) -> None:
    @hookimpl(hookwrapper=True)
    def dezero_kernels() -> Any:
        yield

    with pytest.warns(PluginWarning, match="dezero_kernels is left out: use wrapper=True"):
        add("w", dezero_kernels=dezero_kernels)
    assert kernels_for("test op", "numpy") == []


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ({}, {}, "a"),
        ({}, {"tryfirst": True}, "b"),
        ({"trylast": True}, {}, "b"),
        ({"tryfirst": True}, {"trylast": True}, "a"),
    ],
)
def test_the_order_decides_who_keeps_a_name(
    add: Add, first: dict[str, bool], second: dict[str, bool], winner: str
) -> None:
    add("a", dezero_backends=providing("same", owner="a", **first))
    add("b", dezero_backends=providing("same", owner="b", **second))
    with pytest.warns(PluginWarning, match=f"'same' is taken by plugin '{winner}'"):
        assert "same" in backend_names()
    assert types_of("same") == (f"{winner}:Array",)


def test_no_option_takes_our_names(add: Add) -> None:
    add("thief", dezero_backends=providing("numpy", owner="thief", tryfirst=True))
    with pytest.warns(PluginWarning, match="'thief' .*'numpy' is taken by plugin 'numpy'"):
        assert get_backend("numpy").xp.__name__ == "numpy"


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (({}, {}), ["b"]),
        (({"tryfirst": True}, {}), ["a"]),
        (({}, {"trylast": True}), ["a"]),
        (({"trylast": True}, {"tryfirst": True}), ["b"]),
    ],
)
def test_the_first_path_ends_a_search(
    add: Add, options: tuple[dict[str, bool], ...], asked: list[str]
) -> None:
    calls: list[str] = []

    def fetching(owner: str, **options: Any) -> Any:
        def dezero_fetch(name: str) -> str:
            calls.append(owner)
            return f"/{owner}/{name}"

        return hookimpl(dezero_fetch, **options)

    for owner, each in zip("ab", options, strict=True):
        add(owner, dezero_fetch=fetching(owner, **each))
    assert plugins.fetch("mine.npz") == f"/{asked[0]}/mine.npz"
    assert calls == asked


def test_a_wrapper_may_answer_for_a_missing_file(add: Add) -> None:
    def dezero_fetch(name: str) -> Any:
        raise DataMissing("no network")

    @hookimpl(wrapper=True)
    def mirror(name: str) -> Any:
        try:
            return (yield)
        except DataMissing:
            return f"/mirror/{name}"

    add("a", dezero_fetch=hookimpl(dezero_fetch))
    with pytest.raises(DataMissing):
        plugins.fetch("mine.npz")
    add("m", dezero_fetch=mirror)
    assert plugins.fetch("mine.npz") == "/mirror/mine.npz"


def test_specname_and_unknown_hooks(add: Add) -> None:
    add("s", anything=providing("spec", specname="dezero_backends"))
    add("o", dezero_later=hookimpl(lambda: 1, optionalhook=True))
    assert "spec" in backend_names()
    assert {s.state for s in plugins.statuses() if s.name in "so"} == {"loaded"}
    with pytest.warns(PluginWarning, match="no such hook; did you mean dezero_backends"):
        add("typo", dezero_backend=providing("b"), dezero_kernels=hookimpl(lambda: [kernel("t")]))
    assert kernels_for("test op", "numpy"), "the rest of it works"


def test_methods_and_generators_are_implementations(add: Add) -> None:
    class Plugin:
        DEZERO_API = 1

        @hookimpl
        def dezero_backends(self) -> Any:
            yield backend("from a generator")

        @staticmethod
        @hookimpl
        def dezero_kernels() -> Any:
            return (kernel("static"),)

    add("methods", Plugin())
    assert "from a generator" in backend_names() and kernels_for("test op", "numpy")


def raising(*before: Any) -> Any:
    raise ValueError("no luck")


@hookimpl(wrapper=True)
def raises_before() -> Any:
    raising()
    yield


@hookimpl(wrapper=True)
def raises_after() -> Any:
    yield
    raising()


@hookimpl(wrapper=True)
def never_yields() -> Any:
    if raising is None:
        yield
    return []


@hookimpl(wrapper=True)
def yields_twice() -> Any:
    yield
    yield


@hookimpl(wrapper=True)
def forgets_to_return() -> Any:
    yield


@hookimpl(wrapper=True)
def returns_nonsense() -> Any:
    yield
    return 7


@hookimpl
def raises_later() -> Any:
    yield backend("lost")
    raising()


@hookimpl
def exits() -> Any:
    raise SystemExit(3)


@hookimpl
def misses_data() -> Any:
    raise DataMissing("a file")


BROKEN = [
    (hookimpl(lambda: raising()), "raised ValueError: no luck"),
    (hookimpl(lambda: None), "returned NoneType, not a list"),
    (raises_before, "raised ValueError: no luck"),
    (raises_after, "raised ValueError: no luck"),
    (never_yields, "its wrapper did not yield"),
    (yields_twice, "a wrapper must yield exactly once"),
    (forgets_to_return, "its wrapper returned NoneType; expected a list"),
    (returns_nonsense, "its wrapper returned int; expected a list"),
    (raises_later, "raised ValueError: no luck"),
    (exits, "raised SystemExit: 3"),
    (misses_data, "raised DataMissing: a file"),
]


@pytest.mark.parametrize(("broken", "message"), BROKEN)
def test_an_error_affects_only_its_plugin(add: Add, broken: Any, message: str) -> None:
    add("before", dezero_backends=providing("b1"))
    add("culprit", dezero_backends=broken)
    add("after", dezero_backends=providing("b2"))
    match = f"'culprit' of culprit-dist 1.0 is left out: dezero_backends.*{message}"
    with pytest.warns(PluginWarning, match=match) as warned:
        assert {"numpy", "b1", "b2"} <= {*backend_names()}
    assert len(warned) == 1
    failed = [s.name for s in plugins.statuses() if s.state == "failed"]
    assert failed == ["culprit"]
    with pytest.raises(PluginError, match=message):
        get_backend("culprit")


def test_a_wrapper_must_be_a_generator(add: Add) -> None:
    with pytest.raises(Exception, match="not a generator function"):
        add("w", dezero_backends=hookimpl(lambda: [], wrapper=True))


@pytest.mark.parametrize("api", [1, {}, {"dezero_kernels": 1}, {"dezero_later": 3}])
def test_versions_that_are_offered(add: Add, api: Any) -> None:
    add("v", DEZERO_API=api, dezero_backends=providing("b1"))
    assert "b1" in backend_names()


@pytest.mark.parametrize("version", [2, 0, "1", None, True])
def test_a_hook_of_another_version_is_left_out_alone(add: Add, version: Any) -> None:
    sentence = f"dezero_kernels is left out: it is for version {version!r}, DeZero offers 1"
    with pytest.warns(PluginWarning, match=f"'v' of v-dist 1.0: {sentence}") as warned:
        add(
            "v",
            DEZERO_API={"dezero_kernels": version},
            dezero_backends=providing("b1"),
            dezero_kernels=hookimpl(lambda: [kernel("v")]),
        )
    assert len(warned) == 1
    assert "b1" in backend_names() and not kernels_for("test op", "numpy")
    (status,) = [s for s in plugins.statuses() if s.name == "v"]
    assert (status.state, status.reason) == ("partial", sentence)
    with pytest.raises(PluginError, match=f"'v-dist' is installed .* but partial: {sentence}"):
        plugins.raise_if_left_out("v-dist")


@pytest.mark.parametrize("name", ["dezero_backends", "dezero_backend"])
def test_a_hook_without_its_decorator_is_named(add: Add, name: str) -> None:
    with pytest.warns(PluginWarning, match=f"{name} is left out: dezero_backends needs @hookimpl"):
        add("plain", **{name: lambda: [backend("plain")]})


def test_a_misspelt_hook_in_the_versions_is_named(add: Add) -> None:
    with pytest.warns(PluginWarning, match="dezero_kernel is left out.*mean dezero_kernels"):
        add("v", DEZERO_API={"dezero_kernel": 2}, dezero_kernels=hookimpl(lambda: [kernel("v")]))


def test_a_new_version_of_a_hook_leaves_out_only_old_implementations(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HOOK_VERSIONS, "dezero_kernels", 2)
    hooks = {
        "dezero_backends": providing("b1"),
        "dezero_kernels": hookimpl(lambda: [kernel("new")]),
    }
    with pytest.warns(PluginWarning, match="it is for version 1, DeZero offers 2"):
        add("old", **hooks)
    assert "b1" in backend_names() and not kernels_for("test op", "numpy")
    new = {**hooks, "dezero_backends": providing("b2")}
    add("new", DEZERO_API={"dezero_kernels": 2}, **new)
    assert "b2" in backend_names() and kernels_for("test op", "numpy")


@pytest.mark.parametrize("api", [2, True, "1", 1.5, [1]])
def test_a_version_that_no_hook_has_is_refused(add: Add, api: Any) -> None:
    with pytest.raises(PluginError, match=r"asks for API .*; this version offers 1"):
        add("v", DEZERO_API=api)
