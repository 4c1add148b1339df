"""Install wheels in new environments; check dependencies, subsets and third-party plugins."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parent.parent.parent
VERSION = "0.1.0"
UV = which("uv", path=str(Path(sys.executable).parent)) or "uv"

Python = Path


def sh(*command: object, cwd: Path = ROOT) -> str:
    """Run a command outside the environment of hatch; return its output."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HATCH_ENV", "PYTHONPATH"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build our wheels as `hatch run build:wheels` does, those of two plugins and of a format."""
    out = tmp_path_factory.mktemp("wheels")
    sh(sys.executable, "scripts/build_wheels.py", out)
    ours = {path.name.split("-")[0].replace("_", "-") for path in out.glob("*.whl")}
    assert ours == {project_name(project) for project in ROOT.glob("packages/*/pyproject.toml")}
    for source in [*Path(__file__).parent.glob("plugins/*/"), *ROOT.glob("examples/formats/*/")]:
        sh(UV, "build", "-q", "--wheel", "--out-dir", out, source)
    return out


def project_name(project: Path) -> str:
    return str(tomllib.loads(project.read_text("utf-8"))["project"]["name"])


@pytest.fixture
def install(wheels: Path, tmp_path: Path):
    """``install("dezero-core", ...)`` makes a new environment and returns its Python."""

    def make(*distributions: str) -> Python:
        sh(UV, "venv", "-q", "--python", sys.executable, tmp_path / "venv")
        python = tmp_path / "venv" / "bin" / "python"
        pins = [f"{d}=={VERSION}" if d.startswith("dezero") else d for d in distributions]
        sh(UV, "pip", "install", "-q", "--python", python, "--find-links", wheels, *pins)
        return python

    return make


def installed(python: Python) -> set[str]:
    frozen = sh(UV, "pip", "list", "-q", "--python", python, "--format", "freeze")
    return {line.split("==")[0] for line in frozen.split()}


def test_core_installs_only_numpy_and_pluggy(install) -> None:
    python = install("dezero-core")
    assert installed(python) == {"dezero-core", "numpy", "pluggy"}
    assert "1.0" in sh(
        python,
        "-I",
        "-c",
        "import numpy as np, dezero_core as d; x = d.Variable(np.array(0.5));"
        "y = x * x; y.backward(); print(x.grad)",
    )


# A program that each subset of our packages must be able to run.
TRAIN = """
import numpy as np, dezero_nn as nn
model = nn.MLP((4, 2)); optimizer = nn.SGD().setup(model)
loss = nn.softmax_cross_entropy(model(np.ones((3, 5), "float32")), np.array([0, 1, 0]))
loss.backward(); optimizer.update()
"""
SUBSETS = {
    ("dezero-core",): "import dezero_core",
    ("dezero-core", "dezero-nn"): TRAIN
    + """
try: model.save_weights("m.npz")
except ImportError as error: assert "pip install dezero-io" in str(error)
else: raise SystemExit("saved without dezero-io")
""",
    ("dezero-core", "dezero-io"): """
import numpy as np, dezero_io as io
from dezero_core import Parameter
tree = {"a": [Parameter(np.ones(2))]}
io.save_weights(tree, "t"); tree["a"][0].data = np.zeros(2); io.load_weights(tree, "t")
assert tree["a"][0].data.sum() == 2
try: io.Digits()
except ImportError as error: assert "dezero-io[digits]" in str(error)
""",
    ("dezero-core", "dezero-cuda"): """
import numpy as np, dezero_core as d
try: d.Variable(np.ones(2)).to_gpu()
except ImportError as error: assert "CuPy is not installed" in str(error)
""",
    ("dezero-core", "dezero-mpi"): """
from dezero_core.extend import get_communicator
assert get_communicator() is None, "no launcher started this process"
try: get_communicator("mpi")
except ImportError as error: assert "pip install 'dezero-mpi[mpich]'" in str(error)
else: raise SystemExit("connected without an MPI library")
""",
    ("dezero-core", "dezero-nn", "dezero-io", "dezero-parallel"): """
import numpy as np, dezero_nn as nn
from dezero_io import DataLoader
from dezero_parallel import world
try: world("mpi")
except ImportError as error: assert "pip install 'dezero-mpi[mpich]'" in str(error)
else: raise SystemExit("connected without dezero-mpi")
ranks = world()
assert (ranks.rank, ranks.size) == (0, 1)
model = nn.MLP((4, 2)); optimizer = ranks.parallel(nn.SGD().setup(model))
for x in ranks.share(DataLoader(np.ones((6, 5), "float32"), 3)):
    loss = nn.softmax_cross_entropy(model(x), np.array([0, 1, 0]))
    model.cleargrads(); loss.backward(); optimizer.update()
assert ranks.mean(loss) == float(loss)
""",
    ("dezero-core", "dezero-nn", "dezero-onednn"): TRAIN
    + """
from dezero_core.extend import kernel_log
x, W = np.ones((1, 16, 40, 40), "float32"), np.ones((16, 16, 5, 5), "float32")
with kernel_log() as ran: assert nn.conv2d(x, W).data[0, 0, 0, 0] == 400
assert ran[0].kernel == "numpy:onednn_blocked_conv2d"
""",
    ("dezero-core", "dezero-nn", "dezero-onnx"): TRAIN
    + """
import dezero_onnx
report = dezero_onnx.export_onnx(model, "m.onnx", x=(("N", 5), "float32"))
assert report.nodes == 5 and report.difference < 1e-5
model.load_weights("m.onnx")
try: model.save_weights("m.npz")
except ImportError as error: assert "pip install dezero-io" in str(error)
""",
    ("dezero-core", "dezero-nn", "dezero-io"): TRAIN
    + """
model.save_weights("m"); model.load_weights("m")
try: model.load_weights("m.onnx")
except ImportError as error: assert "pip install dezero-onnx" in str(error)
else: raise SystemExit("read an ONNX file without dezero-onnx")
""",
}


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_subsets_work(subset: tuple[str, ...], install, tmp_path: Path) -> None:
    python = install(*subset)
    assert {name for name in installed(python) if name.startswith("dezero")} == set(subset)
    program = SUBSETS[subset] + '\nprint("done")'
    assert sh(python, "-I", "-c", program, cwd=tmp_path) == "done\n"


SAVES = """
import numpy as np
from dezero_core import Buffer, Parameter
from dezero_io import load_weights, save_weights
def tree(fill):
    return {"a": {"W": Parameter(np.full((2, 3), fill))}, "b": [Buffer(np.full(2, fill, "f4"))]}
for name in ("m", "m.json"):
    save_weights(tree(np.pi), name, metadata={"note": "x"})
    other = tree(0.0)
    assert load_weights(other, name).metadata == {"note": "x"}
    assert other["a"]["W"].data[1, 2] == np.pi and other["b"][0].data[0] == np.float32(np.pi)
open("m.json", "a").write("}")
try: load_weights(other, "m.json")
except ValueError as error: print(type(error).__name__)
"""


def test_core_and_io_save_a_tree_also_in_a_third_party_format(install, tmp_path: Path) -> None:
    python = install("dezero-core", "dezero-io", "dezero-json")
    assert "dezero-nn" not in installed(python)
    assert sh(python, "-I", "-c", SAVES, cwd=tmp_path) == "FormatError\n"
    (code,) = (ROOT / "examples" / "formats" / "dezero-json").rglob("*.py")
    assert len(code.read_text().splitlines()) < 60


def test_everything_with_a_good_and_a_broken_plugin(install, tmp_path: Path) -> None:
    python = install("dezero-suite", "dezero-cuda", "thin-backend", "broken-plugin")
    dezero = python.with_name("dezero")

    assert sh(python, "-I", "-c", "import dezero", cwd=tmp_path) == "", "import scans nothing"
    export = "import dezero as d; d.export_onnx(d.layers.ReLU(), 'm.onnx', x=((1,), 'float32'))"
    failed = subprocess.run([python, "-I", "-c", export], capture_output=True, text=True)
    assert "pip install dezero-onnx" in failed.stderr
    failed = subprocess.run([dezero, "train", "--ranks", "2"], capture_output=True, text=True)
    assert failed.returncode and "pip install 'dezero-mpi[mpich]'" in failed.stderr
    scan = "from dezero_core.extend import backend_names as b; b(); b(); print('scanned')"
    printed = sh(python, "-I", "-c", scan, cwd=tmp_path)
    assert printed.count("PluginWarning: plugin 'broken' of broken-plugin 0.7") == 1

    info = sh(dezero, "info", cwd=tmp_path)
    assert "thin                    ready (float64, scatter_add)" in info
    reason = "ModuleNotFoundError: No module named 'a_library_that_is_not_installed'"
    assert f"failed (broken-plugin 0.7): {reason}" in info
    ask = "from dezero_core.extend import get_backend; get_backend('broken')"
    failed = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True)
    assert (
        f"PluginError: 'broken' is installed (broken-plugin 0.7) but failed: {reason}"
        in failed.stderr
    )

    losses = {}
    for backend in ("numpy", "thin"):
        printed = sh(
            dezero, "train", "--backend", backend, "--epochs", 2, "--seed", 0, cwd=tmp_path
        )
        losses[backend] = [
            float(line.split()[3]) for line in printed.splitlines() if "epoch" in line
        ]
    assert losses["thin"][1] < losses["thin"][0]
    assert losses["thin"] == pytest.approx(losses["numpy"], rel=1e-3)


def losses_of(printed: str) -> list[str]:
    """Return the losses of the epochs that ``dezero train`` printed."""
    return [line.split()[3] for line in printed.splitlines() if line.startswith("epoch")]


def test_two_ranks_train_like_one_process(install, tmp_path: Path) -> None:
    python = install("dezero-suite[mpi]")
    train = [python.with_name("dezero"), "train", "--epochs", 2, "--seed", 0]
    alone = losses_of(sh(*train, cwd=tmp_path))
    assert len(alone) == 2 and losses_of(sh(*train, "--ranks", 2, cwd=tmp_path)) == alone


def test_the_thin_backend_is_short() -> None:
    folder = Path(__file__).parent / "plugins" / "thin-backend"
    lines = sum(len(path.read_text().splitlines()) for path in folder.glob("*.py"))
    assert lines < 80, "library and backend together"


def run_kit(python: Python, folder: Path, *options: object) -> "subprocess.CompletedProcess[str]":
    command = [python, "-m", "pytest", "-q", "--pyargs", "dezero_testing.conformance", *options]
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


def test_the_conformance_kit_needs_core_only(install, tmp_path: Path) -> None:
    python = install("dezero-testing")
    ours = {name for name in installed(python) if name.startswith("dezero")}
    assert ours == {"dezero-core", "dezero-testing"}
    done = run_kit(python, tmp_path, "--dezero-backend", "numpy")
    assert done.returncode == 0, done.stdout
    for package in ("dezero-nn", "dezero-io"):
        reason = f"rows and checks of {package}: {package} is not installed: pip install {package}"
        assert f"skipped: all {reason}" in done.stdout


def test_the_conformance_kit_runs_the_rows_of_what_is_installed(install, tmp_path: Path) -> None:
    python = install("dezero-testing", "dezero-nn", "dezero-io")

    def kit(*options: object) -> "subprocess.CompletedProcess[str]":
        return run_kit(python, tmp_path, *options)

    done = kit("--dezero-backend", "numpy")
    assert done.returncode == 0, done.stdout
    assert re.search(r"all +\d+ +0 +0 +0 +1", done.stdout), "none skipped; one does not apply"
    outcomes = json.loads((tmp_path / "conformance-numpy.json").read_text())
    assert outcomes["tests"]["derivatives/conv2d groups"] == "passed"

    assert "unknown backend 'nunpy'" in kit("--dezero-backend", "nunpy").stdout
    assert "--dezero-backend NAME names the backend to test" in kit().stdout

    xfails = tmp_path / "xfails.txt"
    xfails.write_text("arrays/exp  # passes, and so this line must go\n")
    done = kit("--dezero-backend", "numpy", "--dezero-xfails", xfails, "-k", "exp")
    assert done.returncode == 1 and "XPASS(strict)" in done.stdout
    xfails.write_text("arrays/no such test\n")
    failed = kit("--dezero-backend", "numpy", "--dezero-xfails", xfails)
    assert "no such tests: arrays/no such test" in failed.stdout + failed.stderr

    plain = tmp_path / "test_own.py"
    plain.write_text("import sys\ndef test(): assert 'dezero_core' not in sys.modules\n")
    command = [str(python), "-m", "pytest", "-q", str(plain)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, "the options cost other people's tests nothing"
