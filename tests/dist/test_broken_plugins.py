"""Install ten broken plugins: each must be named in messages, and none may stop DeZero."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from .test_wheels import UV, install, sh, wheels  # noqa: F401 (fixtures)

GOOD = "from dezero_core.extend import BackendSpec, hookimpl\nDEZERO_API = 1\n"
BACKEND = """
@hookimpl
def dezero_backends():
    return [BackendSpec({name!r}, ({types!r},), lambda: None)]
"""

# By name: the module of the plugin, and the reason in the message.
BROKEN = {
    "import-error": ("import dezero_core.no_such_module", "No module named"),
    "missing-dependency": ("import a_library_nobody_has\n" + GOOD, "a_library_nobody_has"),
    "no-version": ("x = 1", "has no DEZERO_API"),
    "wrong-version": ("DEZERO_API = 99", "asks for API 99; this version offers 1"),
    "raising-hook": (
        GOOD + "@hookimpl\ndef dezero_backends():\n    raise KeyError('oops')",
        "dezero_backends raised KeyError: 'oops'",
    ),
    "nonsense": (
        GOOD + "@hookimpl\ndef dezero_backends():\n    return [42]",
        "expected BackendSpec objects, got int",
    ),
    "taken-name": (
        GOOD + BACKEND.format(name="numpy", types="mine:Array"),
        "'numpy' is taken by plugin 'numpy'",
    ),
    "claims-numpy": (
        GOOD + BACKEND.format(name="greedy", types="numpy:ndarray"),
        "'numpy:ndarray' is taken by plugin 'numpy'",
    ),
    "slow": (
        "import time\nend = time.thread_time() + 1.2\nwhile time.thread_time() < end: pass\n"
        + GOOD,
        "slow: 1.",
    ),
    "circular": (
        "from {module}.other import thing\nhere = 1\n" + GOOD,
        "cannot import name 'here' from partially initialized module",
    ),
    "syntax-error": ("def (:\n", "SyntaxError: invalid syntax"),
}


def distribution(folder: Path, kind: str, source: str) -> Path:
    """Write the source tree of a distribution with one plugin; return its folder."""
    name, module = f"broken-{kind}", f"broken_{kind.replace('-', '_')}"
    package = folder / name / module
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source.replace("{module}", module))
    (package / "other.py").write_text(f"from {module} import here\nthing = here\n")
    (folder / name / "pyproject.toml").write_text(
        textwrap.dedent(
            f"""
            [build-system]
            requires = ["hatchling>=1.27"]
            build-backend = "hatchling.build"
            [project]
            name = "{name}"
            version = "0.7"
            [project.entry-points.dezero]
            {kind} = "{module}"
            """
        )
    )
    return folder / name


@pytest.fixture
def python(install, tmp_path: Path) -> Path:  # noqa: F811
    """Return the Python of an environment with dezero-suite and all broken plugins."""
    python = install("dezero-suite")
    folders = [distribution(tmp_path, kind, source) for kind, (source, _) in BROKEN.items()]
    sh(UV, "pip", "install", "-q", "--python", python, "--no-deps", *folders)
    return python


def test_broken_plugins_are_named_and_stop_nothing(python: Path, tmp_path: Path) -> None:
    assert len(BROKEN) >= 10
    assert sh(python, "-I", "-c", "import dezero", cwd=tmp_path) == "", "import scans nothing"

    dezero = python.with_name("dezero")
    printed = sh(dezero, "train", "--data", "digits", "--epochs", 1, "--seed", 0, cwd=tmp_path)
    assert "accuracy" in printed

    info = sh(dezero, "info", cwd=tmp_path)
    for kind, (_, reason) in BROKEN.items():
        lines = [line for line in info.splitlines() if f"broken-{kind} 0.7" in line]
        assert any(reason in line for line in lines), f"{kind}: {info}"

    for kind, (_, reason) in BROKEN.items():
        if kind == "slow":
            continue  # a slow plugin works
        ask = f"from dezero_core.extend import get_backend; get_backend({kind!r})"
        failed = subprocess.run(
            [python, "-I", "-W", "ignore", "-c", ask], capture_output=True, text=True, cwd=tmp_path
        )
        last = failed.stderr.strip().splitlines()[-1]
        assert f"PluginError: {kind!r} is installed (broken-{kind} 0.7) but failed" in last
        assert reason in last
    assert sys.version_info >= (3, 11)
