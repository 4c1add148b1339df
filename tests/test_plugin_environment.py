"""Start processes with DEZERO_PLUGINS set, or with plugins of third parties installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

ASK = """
import json, sys
import numpy as np
import dezero.layers as L
from dezero import DezeroError, Variable
from dezero_core.extend import get_backend, plugins
from dezero_testing import load_rows

layer = L.Linear(1, in_size=1)
messages = {}
for name, ask in {
    "npz": lambda: layer.save_weights("t.npz"),
    "no suffix": lambda: layer.load_weights("t"),
    "safetensors": lambda: layer.load_weights("t.safetensors"),
    "published": lambda: plugins.fetch("resnet50.npz"),
    "cuda": lambda: get_backend("cuda"),
    "to_gpu": lambda: Variable(np.ones(1)).to_gpu(),
    "rows": lambda: load_rows("io"),
    "other suffix": lambda: layer.save_weights("t.other"),
    "other backend": lambda: get_backend("other"),
}.items():
    try:
        messages[name] = str(ask())
    except DezeroError as error:
        messages[name] = str(error)
if "--info" in sys.argv:
    from click.testing import CliRunner
    from dezero.cli import main
    messages["info"] = CliRunner().invoke(main, ["info"]).output
print(json.dumps(messages))
"""


def asked(tmp_path: Path, *arguments: str, **environment: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *arguments],
        env={**os.environ, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return dict(json.loads(done.stdout))


def test_an_error_about_an_excluded_plugin_says_what_to_add(tmp_path: Path) -> None:
    messages = asked(tmp_path, "--info", DEZERO_PLUGINS="nn,")
    info = messages.pop("info")
    for name in ("npz", "no suffix", "safetensors", "published", "rows"):
        assert (
            "DEZERO_PLUGINS=nn, does not list it; to load it: DEZERO_PLUGINS=nn,io"
            in (messages[name])
        ), name
    for name in ("cuda", "to_gpu"):
        assert "cuda" in messages[name], "not installed, or not listed"
    for name in ("other suffix", "other backend"):
        assert "io (blocked)" in messages[name] and "dezero info" in messages[name]
    lines = {line.split()[0]: line for line in info.splitlines() if line.strip()}
    assert "blocked (dezero-io" in lines["io"] and "loaded (dezero-nn" in lines["nn"]
    assert "loaded (dezero-core" in lines["numpy"], "part of dezero-core, not of the list"
    assert ".npz" not in lines


def test_import_loads_no_third_party_plugin(tmp_path: Path) -> None:
    """Install 500 distributions with plugins; importing one would leave a file behind."""
    for number in range(500):
        info = tmp_path / f"stranger_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: stranger-{number}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[dezero]\ns{number} = stranger_{number}\n")
        (tmp_path / f"stranger_{number}.py").write_text(
            "import pathlib; pathlib.Path(__file__ + '.imported').touch()\nDEZERO_API = 1\n"
        )
    code = (
        "import sys, dezero, numpy as np\n"
        "y = dezero.Variable(np.ones(2)) * 2\n"
        "y.sum().backward()\n"
        "print([m for m in sys.modules if m.startswith('stranger') or m == 'importlib.metadata'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not list(tmp_path.glob("*.imported"))
    assert "stranger" not in done.stdout


def test_a_third_party_with_our_name_is_refused(tmp_path: Path) -> None:
    """A distribution whose entry point is named like ours does not replace dezero-io."""
    info = tmp_path / "dezero_io-99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dezero-io\nVersion: 99.0\n")
    (info / "entry_points.txt").write_text("[dezero]\nio2 = thief\n")
    (tmp_path / "thief.py").write_text("import pathlib; pathlib.Path('stolen').touch()\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    asked(tmp_path, PYTHONPATH=path, DEZERO_DISABLE_PLUGINS="1")
    assert not (tmp_path / "stolen").exists()
