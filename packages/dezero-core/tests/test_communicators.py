"""Check how engines of parallel training are registered and found, and the errors about them."""

from types import SimpleNamespace
from typing import Any

import pytest

from dezero_core.errors import (
    ArgumentError,
    CommunicatorError,
    MissingPackage,
    PluginWarning,
    UnknownName,
)
from dezero_core.extend import CommunicatorSpec, get_communicator
from dezero_core.state import communicators


def one_rank(size: int = 1) -> Any:
    """Return an object with the attributes of a communicator; no method does anything."""
    methods = ("gather", "broadcast", "start", "poll", "wait", "leave", "departed", "abort")
    return SimpleNamespace(rank=0, size=size, **dict.fromkeys(methods, print))


def spec(name: str = "test", launched: Any = lambda: 0, make: Any = one_rank, **more: Any) -> Any:
    return CommunicatorSpec(name, launched, make, **more)


def divide() -> Any:
    return 1 // 0


def test_auto_chooses_the_highest_priority_among_the_launched(plug: Any) -> None:
    assert get_communicator() is None, "no launcher started this process"
    made: list[str] = []

    def engine(name: str, ranks: int, priority: int) -> Any:
        return spec(
            name, lambda: ranks, lambda: made.append(name) or one_rank(2), priority=priority
        )

    plug(dezero_communicators=lambda: [engine("slow", 2, 1), engine("fast", 2, 2)])
    plug(dezero_communicators=lambda: [engine("other", 0, 9)])
    assert get_communicator().size == 2  # type: ignore[union-attr]
    get_communicator("other")
    assert made == ["fast", "other"]
    assert {spec.name for spec, _ in communicators()} >= {"slow", "fast", "other"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"launched": divide}, "'test': launched raised ZeroDivisionError"),
        ({"launched": lambda: 2, "make": divide}, "'test': make raised ZeroDivisionError"),
        ({"launched": lambda: 2, "make": object}, "make returned object, which lacks"),
        ({"launched": lambda: 2}, "announced 2 ranks, but the engine connects 1; expected"),
    ],
)
def test_an_engine_that_does_not_start_is_named(plug: Any, given: Any, message: str) -> None:
    plug(dezero_communicators=lambda: [spec(**given)])
    with pytest.raises(CommunicatorError, match=message):
        get_communicator()


def test_an_unknown_engine_is_an_error(plug: Any, monkeypatch: Any) -> None:
    plug(dezero_communicators=lambda: [spec()])
    with pytest.raises(UnknownName, match=r"unknown engine 'mpj'; registered: .*test"):
        get_communicator("mpj")
    monkeypatch.setattr("dezero_core.communicators._catalog.get", lambda name: None)
    monkeypatch.setattr("dezero_core.plugins.plugins.statuses", list)
    with pytest.raises(MissingPackage, match="'mpi' is not installed.*pip install 'dezero-mpi"):
        get_communicator("mpi")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "auto"}, "name is 'auto'"),
        ({"name": 3}, "name is 3; choose another name"),
        ({"arrays": (3,)}, r"arrays is \(3,\); expected a tuple"),
        ({"arrays": "numpy:ndarray"}, "arrays is 'numpy:ndarray'; expected a tuple"),
    ],
)
def test_wrong_specs_are_refused(plug: Any, given: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        spec(**given)
    plug(dezero_communicators=lambda: [spec(**given)])
    with pytest.warns(PluginWarning, match=message):
        communicators()


def test_two_engines_with_one_name_are_refused(plug: Any) -> None:
    plug(dezero_communicators=lambda: [spec()])
    plug(dezero_communicators=lambda: [spec()])
    with pytest.warns(PluginWarning, match="'test' is taken by plugin"):
        communicators()
