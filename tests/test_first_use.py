"""Fill every table of the packages for the first time in eight threads at once."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(Path(__file__).parent))
from first_uses import CASES  # noqa: E402

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

CACHES = ("cache", "lru_cache", "once", "cached_property")
TABLES = ("Catalog", "dict", "list", "set", "WeakKeyDictionary", "WeakValueDictionary")
FILLED_AT_IMPORT = {
    "dezero_core.backends.kernels.ops",
    "dezero_core.config._settings",
    "dezero_core.numpy_functions.REARRANGING",
    "dezero_core.step_recorder.step_keys",  # by dezero_parallel.world, once
}


def failures(repeats: int) -> dict[str, list[str]]:
    """Run all cases in new processes; return their failures, by case."""
    command = [sys.executable, "tests/first_uses.py", str(repeats)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # the process forks
    for name in ("DEZERO_PLUGINS", "DEZERO_DISABLE_PLUGINS", "DEZERO_BACKEND"):
        environment.pop(name, None)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_eight_threads_may_be_the_first() -> None:
    found = failures(1)
    assert set(found) >= {name for name, case in CASES.items() if case.needs == "dezero_core"}
    assert {name: messages[0] for name, messages in found.items() if messages} == {}


@pytest.mark.slow
def test_eight_threads_may_be_the_first_fifty_times() -> None:
    assert {name: messages for name, messages in failures(50).items() if messages} == {}


def name_of(node: Any) -> str:
    """Return the last name of a decorator or call."""
    node = node.func if isinstance(node, ast.Call) else node
    return getattr(node, "id", "") or getattr(node, "attr", "")


def first_uses(tree: ast.Module) -> Iterator[str]:
    """Yield what a module fills at first use: caches, empty tables, and lazy layers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            if any(name_of(decorator) in CACHES for decorator in node.decorator_list):
                yield node.name
        elif isinstance(node, ast.ClassDef):
            calls = [name_of(call) for call in ast.walk(node) if isinstance(call, ast.Call)]
            if "create_once" in calls:
                yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            is_call = isinstance(node.value, ast.Call) and name_of(node.value) in TABLES
            if is_call or ast.unparse(node.value or target) in ("{}", "[]", "None"):
                yield ast.unparse(target)


def test_every_table_filled_at_first_use_has_a_case() -> None:
    found = {
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts[3:])}.{name}"
        for path in sorted(ROOT.glob("packages/*/src/*/**/*.py"))
        for name in first_uses(ast.parse(path.read_text()))
    }
    covered = {table for case in CASES.values() for table in case.tables}
    assert found - FILLED_AT_IMPORT - covered == set(), "add a case to tests/first_uses.py"


# Imports hold locks of their own: a module that looked something up while it is imported could
# wait for a thread that looks something up, and imports this module for it. The child is forked
# while another thread holds the lock.
UNDER_LOCK = """
import os, signal, sys, threading
from dezero_core.extend import plugins
plugins.lock.acquire()
failed = []
def imports():
    import dezero, dezero_cuda.plugin, dezero_io.plugin, dezero_nn.plugin, dezero.functions
    import dezero_nn.kernels
    import dezero_testing.rows.core, dezero_testing.rows.io, dezero_testing.rows.nn
    import numpy as np
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        layer = dezero.layers.Linear(2)
        layer(np.ones((1, 3)))
        os._exit(layer.W.shape != (3, 2))
    failed.append(os.waitpid(child, 0)[1])
thread = threading.Thread(target=imports, daemon=True)
thread.start()
thread.join(40)
sys.exit(failed != [0])
"""


def test_importing_scans_nothing_and_a_forked_child_finds_the_lock_free() -> None:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", UNDER_LOCK]
    assert subprocess.run(command, cwd=ROOT, env=environment).returncode == 0
