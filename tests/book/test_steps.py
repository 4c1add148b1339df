"""Run the book's programs of steps 25 to 60 and its examples; steps.toml lists what differs."""

import ast
import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import dezero
from dezero.models import VGG16
from dezero_core.extend import plugins

HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE / "steps.toml").read_text("utf-8"))["program"]
PROGRAMS = {program["name"]: program for program in TABLE if "file" in program}


@pytest.fixture(autouse=True)
def _no_random_numbers_stay() -> Any:
    state = np.random.get_state()
    yield
    np.random.set_state(state)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace VGG16 by one with a sixteenth of its channels, and provide a file of weights."""
    whole = VGG16.__init__

    def thin(self: Any, pretrained: bool = False) -> None:
        whole(self)
        for name, layer in vars(self).items():
            if name.startswith("conv"):
                layer.__init__(layer.out_channels // 16, 3, pad=1)
        self.fc6, self.fc7, self.fc8 = (dezero.layers.Linear(n) for n in (64, 64, 1000))
        if pretrained:
            self.load_weights(plugins.fetch("vgg16.npz"))

    dezero.seed(0)
    monkeypatch.setattr(VGG16, "__init__", thin)
    monkeypatch.setenv("DEZERO_DATA", str(tmp_path))
    (tmp_path / "models").mkdir()
    model = VGG16()
    model(np.zeros((1, 3, 32, 32), "float32"))
    model.save_weights(tmp_path / "models" / "vgg16.npz")
    (tmp_path / "imagenet").mkdir()
    lines = ",\n ".join(f"{n}: 'thing {n}'" for n in range(1000))
    (tmp_path / "imagenet" / "imagenet1000_clsidx_to_labels.txt").write_text("{" + lines + "}")


def loaded(program: dict[str, Any]) -> ModuleType:
    spec = importlib.util.spec_from_file_location(program["name"], HERE / program["file"])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LONG = {
    "step 43",
    "step 48",
    "step 50",
    "step 59",
    "step 60",
    *(name for name in PROGRAMS if name.startswith("example")),
}
"""Programs that take seconds: `hatch test -m slow` runs them."""
MARKED = [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in PROGRAMS]


@pytest.mark.parametrize("name", MARKED)
def test_program(
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    copies: Any,
) -> None:
    monkeypatch.chdir(tmp_path)  # pictures are written to the current folder
    if fixture := PROGRAMS[name].get("needs"):
        request.getfixturevalue(fixture)
    loaded(PROGRAMS[name]).main()


def called(path: Path) -> set[str]:
    """Return the names of DeZero that a program imports or reads from its modules."""
    tree = ast.parse(path.read_text("utf-8"))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom | ast.Import)]
    ours = [n for n in imports if "dezero" in (getattr(n, "module", None) or n.names[0].name)]
    found, modules = set(), {}
    for node in ours:
        for name in node.names:
            if isinstance(node, ast.ImportFrom) and name.name != "optimizers":
                found.add(name.name)
            else:
                modules[name.asname or name.name] = name.asname or name.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (base := ast.unparse(node.value)).split(".")[0] in (
            modules
        ):
            found.add(f"{base}.{node.attr}")
    return found - {f"dezero.{m}" for m in ("datasets", "optimizers", "cuda")}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_table_lists_calls_and_iterations(name: str) -> None:
    program = PROGRAMS[name]
    assert sorted(called(HERE / program["file"])) == program["calls"]
    assert getattr(loaded(program), "ITERATIONS", None) == program.get("iterations")
    assert program.get("iterations", 0) <= program.get("in_the_book", 10**6), "only shrunk"


def test_the_table_is_complete() -> None:
    steps = {f"step {n}" for n in range(25, 61)}
    assert {p["name"] for p in TABLE if p["name"].startswith("step")} == steps
    files = {p["file"] for p in PROGRAMS.values()}
    assert files == {
        f"{folder}/{path.name}"
        for folder in ("steps", "examples")
        for path in (HERE / folder).glob("*.py")
    }
