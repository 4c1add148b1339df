"""Check that plugins that fail are recorded, warned about once, and stop nothing else."""

import math
import sys
import time
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest

from dezero_core.backends.kernels import all_kernels, kernels_for
from dezero_core.errors import (
    OUR_PLUGINS,
    DataMissing,
    MissingPackage,
    PluginError,
    PluginWarning,
    UnknownName,
)
from dezero_core.extend import (
    ArrayBackend,
    BackendSpec,
    CommunicatorSpec,
    Kernel,
    WeightFormat,
    backend_names,
    get_backend,
    hookimpl,
    plugins,
)
from dezero_core.hookspecs import DEZERO_API
from dezero_core.plugins import Plugins
from dezero_core.state import communicators, format_for, registered_formats


class Entry:
    """An entry point, as importlib.metadata returns it."""

    def __init__(
        self, name: str, load: Any, distribution: str = "stranger", value: str = "strange"
    ) -> None:
        self.name, self.load, self.value = name, load, value
        self.dist = SimpleNamespace(name=distribution, version="1.2")


def scanned(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> Plugins:
    """Return new plugins that have scanned these entry points."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: list(entries))
    found = Plugins()
    found.scan()
    return found


def loaded(found: Plugins) -> list[str]:
    """Return the names of the loaded plugins, first registered first."""
    return [name for name, _ in found._manager.list_name_plugin()]


TYPES = ("thin:Array",)


@pytest.mark.parametrize(
    ("hook", "make", "message"),
    [
        (
            "backends",
            lambda: BackendSpec(["x"], TYPES, list),
            r"BackendSpec: name is \['x'\]; .* str",
        ),
        ("backends", lambda: BackendSpec("x", TYPES, 5), "factory is 5; expected Callable"),
        ("backends", lambda: BackendSpec("x", (1, None), list), r"array_types is \(1, None\); exp"),
        ("kernels", lambda: Kernel(["relu"], "numpy", list), r"Kernel: op is \['relu'\]; expected"),
        (
            "kernels",
            lambda: Kernel("r", "numpy", list, priority="a"),
            "priority is 'a'; expected int",
        ),
        (
            "weight_formats",
            lambda: WeightFormat([".x"], list, list),
            r"suffix is \['.x'\]; expected",
        ),
        (
            "weight_formats",
            lambda: WeightFormat(".x", None, list),
            "write is None; expected Callable",
        ),
        ("weight_formats", lambda: WeightFormat(".x", list, list, needs="a"), "needs is 'a'; exp"),
        (
            "communicators",
            lambda: CommunicatorSpec("x", 2, list),
            "launched is 2; expected Callable",
        ),
    ],
)
def test_fields_of_the_wrong_type_leave_a_plugin_out(
    plug: Any, hook: str, make: Any, message: str
) -> None:
    name = plug(**{f"dezero_{hook}": lambda: [make()]})
    catalogs = {"backends": backend_names, "kernels": all_kernels}
    catalogs |= {"weight_formats": registered_formats, "communicators": communicators}
    with pytest.warns(PluginWarning, match=f"{name!r} of a test 1.0 is left out: .*{message}"):
        registered = catalogs[hook]()
    assert registered, "the objects of the other plugins"


def test_a_backend_is_made_once(plug: Any) -> None:
    """A hook that makes a new function at each call still has one backend."""
    plug(dezero_backends=lambda: [BackendSpec("thin", TYPES, lambda: ArrayBackend(math))])
    backend = get_backend("thin")
    plug(dezero_backends=lambda: iter([BackendSpec("other", ("other:A",), list)]))  # read anew
    assert get_backend("thin") is backend and "other" in backend_names()


def test_a_factory_that_ends_the_program_is_an_error(plug: Any) -> None:
    plug(dezero_backends=lambda: [BackendSpec("thin", TYPES, lambda: sys.exit(4))])
    with pytest.raises(PluginError, match="backend 'thin': its factory raised SystemExit: 4"):
        get_backend("thin")


@pytest.mark.parametrize("suffix", [".THIN", "thin"])
def test_suffixes_are_compared_without_case_and_dot(plug: Any, suffix: str) -> None:
    plug(dezero_weight_formats=lambda: [WeightFormat(suffix, list, list)])
    assert format_for("w.thin")[1].suffix == suffix


class Good:
    DEZERO_API = DEZERO_API


def good() -> Any:
    return Good()


def raising() -> Any:
    raise ModuleNotFoundError("No module named 'thin'")


def states(found: Plugins) -> dict[str, str]:
    return {status.name: status.state for status in found.statuses()}


def test_a_plugin_that_fails_at_import_is_left_out_with_the_reason(monkeypatch: Any) -> None:
    with pytest.warns(PluginWarning, match="'broken' of stranger 1.2 is left out") as warned:
        found = scanned(monkeypatch, Entry("broken", raising), Entry("good", good))
    assert len(warned) == 1
    assert states(found) == {"broken": "failed", "good": "loaded"}
    for wanted in ("broken", "stranger"):
        with pytest.raises(PluginError, match=r"stranger 1.2.*No module named 'thin'"):
            found.raise_if_left_out(wanted)
    found.raise_if_left_out("good")
    assert found.scan() is False, "once is enough"


@pytest.mark.parametrize(("api", "message"), [(None, "has no DEZERO_API"), (2, "asks for API 2")])
def test_another_api_version_is_refused(monkeypatch: Any, api: Any, message: str) -> None:
    plugin = SimpleNamespace() if api is None else SimpleNamespace(DEZERO_API=api)
    with pytest.warns(PluginWarning, match=message):
        found = scanned(monkeypatch, Entry("new", lambda: plugin))
    assert states(found) == {"new": "failed"}


def test_a_hook_with_unknown_arguments_is_refused(monkeypatch: Any) -> None:
    @hookimpl
    def dezero_backends(unheard_of: Any) -> Any:
        return []

    plugin = SimpleNamespace(DEZERO_API=DEZERO_API, dezero_backends=dezero_backends)
    with pytest.warns(PluginWarning, match="unheard_of"):
        found = scanned(monkeypatch, Entry("odd", lambda: plugin))
    assert states(found) == {"odd": "failed"}
    with pytest.raises(pluggy.PluginValidationError):
        found.register(plugin, "odd again")


def test_the_second_plugin_of_a_name_is_left_out(monkeypatch: Any) -> None:
    first, second = Entry("twin", good, "aaa"), Entry("twin", good, "bbb")
    with pytest.warns(PluginWarning, match="'twin' of bbb.*taken by aaa"):
        found = scanned(monkeypatch, first, second)
    assert [(s.distribution, s.state) for s in found.statuses()] == [
        ("aaa 1.2", "loaded"),
        ("bbb 1.2", "failed"),
    ]


NN = Entry("nn", good, "dezero-nn", "dezero_nn.plugin")


def test_a_list_of_plugins_applies_to_all_plugins(monkeypatch: Any) -> None:
    entries = [Entry("a", good), Entry("b", good), NN]
    monkeypatch.setenv("DEZERO_PLUGINS", "b")
    found = scanned(monkeypatch, *entries)
    assert states(found) == {"a": "blocked", "b": "loaded", "nn": "blocked"}
    what_to_add = r"blocked: DEZERO_PLUGINS=b does not list it; to load it: DEZERO_PLUGINS=b,"
    for wanted in ("a", "nn"):
        with pytest.raises(PluginError, match=what_to_add + wanted):
            found.raise_if_left_out(wanted)
    assert found.left_out() == "; not loaded: a (blocked), nn (blocked): see `dezero info`"
    monkeypatch.setenv("DEZERO_PLUGINS", "")
    assert set(states(scanned(monkeypatch, *entries)).values()) == {"blocked"}
    monkeypatch.setenv("DEZERO_PLUGINS", " nn , b,")
    assert loaded(scanned(monkeypatch, *entries)) == ["nn", "b"]


def test_a_plugin_is_slow_by_the_processor_time_of_its_import(monkeypatch: Any) -> None:
    def busy() -> Any:
        start = time.thread_time()
        while time.thread_time() - start < 0.03:
            pass
        return Good()

    def waiting() -> Any:
        time.sleep(0.03)  # as if other processes ran
        return Good()

    monkeypatch.setattr("dezero_core.plugins.SLOW", 0.02)
    with pytest.warns(PluginWarning, match="plugin 'busy' is slow: 0.0 s of CPU time") as warned:
        found = scanned(monkeypatch, Entry("busy", busy), Entry("waiting", waiting))
    assert len(warned) == 1 and [s.reason[:4] for s in found.statuses()] == ["slow", ""]


def test_disabling_plugins_excludes_third_parties(monkeypatch: Any) -> None:
    entries = [Entry("a", good), Entry("b", good), NN]
    monkeypatch.setenv("DEZERO_DISABLE_PLUGINS", "1")
    found = scanned(monkeypatch, *entries)
    assert states(found) == {"a": "blocked", "b": "blocked", "nn": "loaded"}
    monkeypatch.setenv("DEZERO_PLUGINS", "a")
    assert set(states(scanned(monkeypatch, *entries)).values()) == {"blocked"}, "both hold"
    monkeypatch.delenv("DEZERO_PLUGINS")
    monkeypatch.setenv("DEZERO_DISABLE_PLUGINS", "0")
    assert loaded(scanned(monkeypatch, *entries)) == ["nn", "a", "b"]


def test_a_name_that_no_plugin_has_is_warned_about(monkeypatch: Any) -> None:
    monkeypatch.setenv("DEZERO_PLUGINS", "numpy,nm,nn")
    with pytest.warns(
        PluginWarning, match=r"DEZERO_PLUGINS: no plugin is called nm; known: .*nn, numpy"
    ):
        scanned(monkeypatch, NN)


def test_our_plugins_load_first_and_then_by_name(monkeypatch: Any) -> None:
    found = scanned(monkeypatch, Entry("z", good), Entry("a", good, "dezero-io"), NN)
    assert loaded(found) == ["nn", "a", "z"]


@pytest.mark.parametrize("is_ours_there", [True, False])
def test_a_third_party_cannot_take_our_names(monkeypatch: Any, is_ours_there: bool) -> None:
    """Neither the name of a distribution nor that of an entry point makes a plugin ours."""
    thief = Entry("nn", good, "dezero-nn", "thief.plugin")
    message = "'nn' of dezero-nn 1.2 is left out: .*'nn' belongs to dezero-nn; rename"
    with pytest.warns(PluginWarning, match=message):
        found = scanned(monkeypatch, thief, *([NN] if is_ours_there else []))
    assert loaded(found) == ["nn"] * is_ours_there
    monkeypatch.setenv("DEZERO_DISABLE_PLUGINS", "1")
    assert states(scanned(monkeypatch, thief)) == {"nn": "blocked"}


def test_our_entry_points_load_our_modules() -> None:
    from importlib.metadata import entry_points

    names = {name: module for name, module in OUR_PLUGINS.items() if name != "numpy"}
    for entry in entry_points(group="dezero"):
        assert names.get(entry.name, entry.value) == entry.value


def test_a_raising_hook_does_not_stop_the_others(plug: Any) -> None:
    def dezero_backends() -> Any:
        raise ValueError("no luck")

    name = plug(dezero_backends=dezero_backends)
    with pytest.warns(PluginWarning, match="dezero_backends raised ValueError: no luck"):
        assert "numpy" in backend_names()
    assert "numpy" in backend_names(), "and there is no second warning"
    with pytest.raises(PluginError, match="no luck"):
        get_backend(name)


@pytest.mark.parametrize(
    ("returned", "message"),
    [(7, "returned int, not a list"), (["x"], "expected BackendSpec objects, got str")],
)
def test_other_objects_are_refused(plug: Any, returned: Any, message: str) -> None:
    plug(dezero_backends=lambda: returned)
    with pytest.warns(PluginWarning, match=message):
        assert "numpy" in backend_names()


@pytest.mark.parametrize(
    ("spec", "taken"),
    [
        (BackendSpec("numpy", ("a:B",), ArrayBackend), "'numpy' is taken by plugin 'numpy'"),
        (BackendSpec("x", ("numpy:ndarray",), ArrayBackend), "'numpy:ndarray' is taken"),
    ],
)
def test_taken_names_and_types_are_refused(plug: Any, spec: BackendSpec, taken: str) -> None:
    plug(dezero_backends=lambda: [spec])
    with pytest.warns(PluginWarning, match=taken):
        assert get_backend("numpy").xp.__name__ == "numpy"
    assert "x" not in backend_names()


def test_unknown_capabilities_are_refused(plug: Any) -> None:
    plug(dezero_backends=lambda: [BackendSpec("y", ("y:Y",), object, frozenset({"fast"}))])
    with pytest.raises(UnknownName, match=r"'y' declares \['fast'\]"):
        get_backend("y")


@pytest.mark.parametrize("types", ["thin:Array", ("thin.Array",), ("a:b:C",)])
def test_array_types_are_a_tuple_of_modules_and_classes(plug: Any, types: Any) -> None:
    plug(dezero_backends=lambda: [BackendSpec("thin", types, ArrayBackend)])
    with pytest.warns(PluginWarning, match=r"BackendSpec 'thin': array_types is .*expected a tup"):
        assert "thin" not in backend_names()


def divide() -> Any:
    return 1 // 0


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        (lambda: math, "returned module; expected an ArrayBackend; .* return ArrayBackend"),
        (divide, "raised ZeroDivisionError: integer"),
    ],
)
def test_errors_of_a_factory_name_the_backend(plug: Any, factory: Any, problem: str) -> None:
    plug(dezero_backends=lambda: [BackendSpec("thin", ("thin:Array",), factory)])
    with pytest.raises(PluginError, match=f"backend 'thin': its factory {problem}"):
        get_backend("thin")


def test_capabilities_may_be_a_set(plug: Any) -> None:
    spec = BackendSpec("thin", ("thin:Array",), lambda: ArrayBackend(math), {"float64"})  # type: ignore[arg-type]
    plug(dezero_backends=lambda: [spec])
    assert get_backend("thin").capabilities == {"float64"}


def test_unknown_and_missing_backends(monkeypatch: Any) -> None:
    with pytest.raises(UnknownName, match=r"unknown backend 'nunpy'; registered: .*numpy"):
        get_backend("nunpy")
    with pytest.raises(UnknownName):
        get_backend("numpy:ndarray")
    monkeypatch.setenv("DEZERO_BACKEND", "strict")
    from dezero_core import as_array

    assert type(as_array(1.0)).__module__.startswith("array_api_strict")
    assert "device1" in str(as_array(1.0).device), "made where the backend makes arrays"


def test_the_error_says_how_to_install_a_missing_package(monkeypatch: Any) -> None:
    from dezero_core import Variable
    from dezero_core.backends import registry

    monkeypatch.setattr(registry.catalog, "get", lambda *keys: None)
    monkeypatch.setattr(registry.catalog, "items", list)
    for ask in (lambda: get_backend("cuda"), lambda: Variable(None).to_gpu()):
        with pytest.raises(MissingPackage, match="pip install 'dezero-cuda") as caught:
            ask()
        assert isinstance(caught.value, ImportError)


def test_published_files_come_from_the_first_plugin_that_knows_them(plug: Any) -> None:
    plug(dezero_fetch=lambda name: None)
    plug(dezero_fetch=lambda name: f"/data/{name}" if name == "mine.npz" else None)
    assert plugins.fetch("mine.npz") == "/data/mine.npz"
    with pytest.raises(PluginError, match="'other.npz'"):
        plugins.fetch("other.npz")


def test_registering_by_hand_checks_the_name() -> None:
    with pytest.raises(PluginError, match="'numpy' is taken by dezero-core"):
        plugins.register(Good(), "numpy")


def test_an_unknown_op_has_no_kernels() -> None:
    assert kernels_for("no such op", "numpy") == []


def test_a_plugin_may_raise_that_a_file_is_missing(plug: Any) -> None:
    def dezero_fetch(name: str) -> None:
        raise DataMissing(f"{name}: no network")

    plug(dezero_fetch=dezero_fetch)
    with pytest.raises(DataMissing, match=r"mine.npz: no network"):
        plugins.fetch("mine.npz")
