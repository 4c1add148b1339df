"""Create a pytest test for each item of the kit.

`dezero_pytest_options` adds the options, because pytest loads that module before this one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dezero_core.errors import DezeroError
from dezero_core.extend import get_backend
from dezero_testing.conformance.items import all_items


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the test with the items of the kit."""
    if "item" not in metafunc.fixturenames:
        return
    config = metafunc.config
    require_backend(config)
    items = all_items()
    wrong = expected_failures(config)
    unknown = wrong - {item.id for item in items}
    if unknown:
        raise pytest.UsageError(f"--dezero-xfails: no such tests: {', '.join(sorted(unknown))}")
    strict = pytest.mark.xfail(strict=True, reason="listed in --dezero-xfails")
    parameters = [
        pytest.param(item, id=item.id, marks=[strict] if item.id in wrong else []) for item in items
    ]
    metafunc.parametrize("item", parameters)


def require_backend(config: pytest.Config) -> None:
    """Check that the backend exists and has a device; otherwise raise `UsageError`."""
    name = config.getoption("--dezero-backend")
    if name is None:
        raise pytest.UsageError("--dezero-backend NAME names the backend to test")
    try:
        get_backend(name)
    except DezeroError as error:
        raise pytest.UsageError(f"--dezero-backend: {error}") from error


def expected_failures(config: pytest.Config) -> set[str]:
    """Return the ids in the file of expected failures."""
    path = config.getoption("--dezero-xfails")
    if path is None:
        return set()
    lines = [line.partition("#")[0].strip() for line in Path(path).read_text("utf-8").splitlines()]
    return {line for line in lines if line}


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Return the name of the backend under test."""
    return str(request.config.getoption("--dezero-backend"))
