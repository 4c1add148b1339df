"""Test that files of earlier versions load unchanged, and that training continues from them.

Each folder is named after the version whose `write.py` wrote it.
"""

import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from saved_cases import (
    MODELS,
    OPTIMIZERS,
    SMALL,
    TRAIN,
    optimizer_parts,
    outputs,
    run_parts,
    train_optimizers,
    train_run,
)

import dezero
from dezero import Checkpointer, load_checkpoint
from dezero.cli import main, task
from dezero_core.backends import host
from dezero_core.state import load_weights, named_params

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.json"))
SUFFIXES = (".npz", ".safetensors")


@pytest.fixture(autouse=True)
def _reset_seed() -> Any:
    yield
    host.streams().seeded = None


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(params=SUFFIXES)
def suffix(request: pytest.FixtureRequest) -> str:
    if request.param == ".safetensors":
        pytest.importorskip("safetensors", reason="the extra dezero-io[safetensors]")
    return str(request.param)


def expected(folder: Path) -> Any:
    return json.loads((folder / "expected.json").read_text())


def require_equal(model: Any, arrays: dict[str, Any]) -> None:
    named = named_params(model)
    assert list(named) == list(arrays)
    for key, (dtype, shape, values) in arrays.items():
        x = named[key].data
        assert (x.dtype.name, list(x.shape)) == (dtype, shape), key
        assert x.ravel().tolist() == np.array(values, dtype).tolist(), key


@pytest.mark.parametrize("name", MODELS)
def test_weights(folder: Path, name: str, suffix: str) -> None:
    contents = expected(folder)["weights"].get(name)
    if contents is None:
        pytest.skip("written before this layer existed")
    make, x = MODELS[name]
    model = make()
    report = load_weights(model, folder / f"{name}{suffix}", verify=True)
    assert report.metadata == {"name": name} and not report.missing
    require_equal(model, contents["arrays"])
    if x is not None:
        np.testing.assert_allclose(
            outputs(model, x).ravel(), contents["outputs"], rtol=1e-4, atol=1e-5
        )


def test_training_continues_with_every_optimizer(folder: Path) -> None:
    parts = optimizer_parts()
    checkpoint = load_checkpoint(folder / "optimizers.npz", **parts)
    assert checkpoint.metadata == {"steps": "2"}
    later = expected(folder)["checkpoints"]["optimizers"]["losses"]
    losses = train_optimizers(parts, len(later) // len(OPTIMIZERS))
    np.testing.assert_allclose(losses, later, rtol=1e-4)


def test_a_run_continues(folder: Path, suffix: str) -> None:
    dezero.seed(99)
    parts, run = run_parts(), expected(folder)["checkpoints"]["run"]
    load_checkpoint(folder / f"run{suffix}", **parts)
    require_equal(parts["model"], run["model"])
    losses = list(islice(train_run(parts), len(run["losses"])))
    np.testing.assert_allclose(losses, run["losses"], rtol=1e-3)


def test_a_folder_of_checkpoints(folder: Path) -> None:
    model = dezero.models.MLP((2,), in_size=3)
    checkpoints = Checkpointer(folder / "checkpoints", best="min")
    assert (checkpoints.steps(), checkpoints.best_step()) == ([2, 3], 2)
    last = checkpoints.load(model=model)
    assert last is not None and (last.step, last.metadata) == (3, {"score": "0.75"})
    assert model.l0.b.data.tolist() == [3, 3]


def test_the_command_resumes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(task.MODELS, *SMALL)
    shutil.copytree(folder / "train", tmp_path / "train")
    more = (*TRAIN, "--epochs", "2", "--checkpoint", str(tmp_path / "train"), "--resume")
    resumed = CliRunner().invoke(main, more)
    assert resumed.exit_code == 0, resumed.output
    words, whole = resumed.output.splitlines()[1].split(), expected(folder)["train"]
    assert words[:3] == whole[:3]
    assert float(words[3]) == pytest.approx(float(whole[3]), abs=1e-3)


def test_folders_are_found() -> None:
    assert "9714718" in {folder.name for folder in FOLDERS}
