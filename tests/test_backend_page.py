"""Check that docs/backends.md names what a backend has, and what DeZero uses of its library."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core.backends.interface import CAPABILITIES
from dezero_core.extend import ArrayBackend, get_backend
from dezero_testing.conformance.items import all_items

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "backends.md").read_text("utf-8")
OURS = ("dezero_core.", "dezero_nn.")


def section(title: str) -> str:
    """Return the text below a heading of the page."""
    return PAGE.partition(f"# {title}\n")[2].partition("\n#")[0]


def first_column(text: str) -> list[str]:
    """Return the first cell of each row of a table."""
    return re.findall(r"^\| `(\w+)[^|]*\|", text, re.M)


def test_the_table_names_every_method() -> None:
    methods = {name for name in vars(ArrayBackend) if not name.startswith("_")}
    named = first_column(section("3. Which methods can I override?"))
    assert sorted(named) == sorted(methods - {"name", "on_device"})


def test_the_table_names_every_capability() -> None:
    assert sorted(first_column(section("Capabilities"))) == sorted(CAPABILITIES)


FUNCTIONS = set(re.findall(r"`([\w.]+)`", section("Functions of the namespace")))
ALSO = {"cumprod", "cumsum", "topk", "linalg"}
"""Names in the section that are not recorded: other names of functions, an op and a module."""
UNRECORDED = {"argpartition", "erf", "finfo", "float32", "iinfo", "int8", "isnan", "sort"}
"""Functions that array-api-strict lacks, or that no test of the kit needs."""


def test_the_page_names_every_function_in_the_source() -> None:
    sources = [
        path for name in ("core", "nn") for path in ROOT.glob(f"packages/dezero-{name}/src/**/*.py")
    ]
    read = re.compile(r"\b(?:xp|get_array_module\([^()]*\))\.([a-z]\w*)")
    found = {name for path in sources for name in read.findall(path.read_text("utf-8"))}
    assert len(found) > 50
    assert found - {"from_dlpack"} <= FUNCTIONS | ALSO  # from_dlpack needs the capability dlpack


class Recording:
    """Record the names of the attributes of a namespace that DeZero's modules read."""

    def __init__(self, xp: Any, used: set[str], prefix: str = "") -> None:
        self._xp, self._used, self._prefix = xp, used, prefix

    def __getattr__(self, name: str) -> Any:
        if name == "linalg":
            return Recording(self._xp.linalg, self._used, "linalg.")
        if sys._getframe(1).f_globals["__name__"].startswith(OURS):
            self._used.add(self._prefix + name)
        return getattr(self._xp, name)


OPERATORS = {
    "add": "x + y", "sub": "x - y", "mul": "x * y", "truediv": "x / y", "floordiv": "x // y",
    "mod": "x % y", "pow": "x ** y", "matmul": "x @ y", "neg": "-x", "pos": "+x", "abs": "abs(x)",
    "eq": "x == y", "ne": "x != y", "lt": "x < y", "le": "x <= y", "gt": "x > y", "ge": "x >= y",
    "and": "x & y", "or": "x | y", "invert": "~x",
    "bool": "bool(x)", "int": "int(x)", "float": "float(x)",
}  # fmt: skip


def record_operators(monkeypatch: pytest.MonkeyPatch, cls: type, used: set[str]) -> None:
    """Record the operators of arrays that DeZero's modules use."""
    for name in OPERATORS:
        method = getattr(cls, f"__{name}__")

        def call(*operands: Any, _name: str = name, _method: Any = method) -> Any:
            if sys._getframe(1).f_globals["__name__"].startswith(OURS):
                used.add(OPERATORS[_name])
            return _method(*operands)

        monkeypatch.setattr(cls, f"__{name}__", call)


@pytest.mark.slow
def test_the_page_names_the_functions_and_operators_that_the_kit_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library, used, operators = get_backend("strict"), set[str](), set[str]()
    record_operators(monkeypatch, type(library.from_numpy(np.ones(1))), operators)
    monkeypatch.setattr(library, "xp", Recording(library.xp, used))
    for item in all_items():
        if item.level != "derivatives" and not item.missing("strict"):
            item.run("strict")
    assert (used | UNRECORDED) ^ (FUNCTIONS - ALSO) == set()
    table = section("Attributes and operators of arrays").partition("\nOperands")[0]
    named = set(re.findall(r"`([^`]+)`", table.replace("\\|", "|")))
    assert sorted(named & set(OPERATORS.values())) == sorted(operators)
