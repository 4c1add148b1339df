"""Test which names are public, and what their import loads."""

import subprocess
import sys

import pytest

import dezero_core
from dezero_core import extend, functions


@pytest.mark.parametrize("module", [dezero_core, extend, functions], ids=lambda m: m.__name__)
def test_all_names_exist_and_are_unique(module) -> None:
    names = module.__all__
    assert len(names) == len(set(names))
    assert all(hasattr(module, name) for name in names)


def test_every_public_op_has_a_row() -> None:
    from dezero_testing import load_rows

    assert set(functions.__all__) == {case.op for case in load_rows("core")}


def test_import_loads_no_plugins_or_large_packages() -> None:
    code = """
import sys, dezero_core
from dezero_core.plugins import plugins
assert [status.name for status in plugins.statuses()] == ["numpy"], plugins.statuses()
x = dezero_core.Variable(__import__("numpy").ones(2))
(x * 2 + 1).backward()
assert [status.name for status in plugins.statuses()] == ["numpy"], plugins.statuses()
heavy = {"importlib.metadata", "dezero_nn", "dezero_io", "dezero_cuda", "cupy", "matplotlib"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""
