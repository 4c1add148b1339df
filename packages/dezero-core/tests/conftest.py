"""Register plugins for the time of one test."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dezero_core.extend import hookimpl, plugins


@pytest.fixture
def plug() -> Iterator[Callable[..., str]]:
    """Yield a function: ``plug(dezero_kernels=function, ...)`` registers a plugin with hooks."""
    names: list[str] = []

    def register(api: Any = 1, **hooks: Callable[..., Any]) -> str:
        names.append(f"test-plugin-{len(names)}")
        marked = {hook: hookimpl(function) for hook, function in hooks.items()}
        plugins.register(SimpleNamespace(DEZERO_API=api, **marked), names[-1], "a test 1.0")
        return names[-1]

    yield register
    for name in names:
        plugins.unregister(name)
