"""The command: what it prints, writes and refuses."""

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dezero import functions as F
from dezero.cli import main
from dezero_core.backends import host
from dezero_core.extend import plugins


@pytest.fixture(autouse=True)
def _no_seed_stays() -> Any:
    yield
    host._own_generator = None


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("backend", ["numpy", "cuda"])
def test_train_save_load_eval(tmp_path: Path, backend: str) -> None:
    weights, picture = tmp_path / "out" / "w.npz", tmp_path / "out" / "curves.png"
    common = ["--data", "digits", "--model", "mlp", "--backend", backend]
    output = ["--save", str(weights), "--plot", str(picture)]
    trained = run("train", *common, "--epochs", "2", "--seed", "0", *output)
    assert trained.exit_code == 0, trained.output
    lines = trained.output.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["epoch", "epoch"], "plain lines in a log"
    assert f"on backend {backend}" in lines[2]
    assert picture.read_bytes().startswith(b"\x89PNG")
    evaluated = run("eval", *common, "--load", str(weights))
    assert evaluated.exit_code == 0, evaluated.output
    accuracy = lines[2].split()[2]
    assert f"test accuracy {accuracy}" in evaluated.output
    assert float(accuracy.rstrip("%")) > 80
    again = run("train", *common, "--epochs", "1", "--load", str(weights))
    assert again.exit_code == 0
    assert float(again.output.splitlines()[0].split()[3]) < float(lines[0].split()[3])


@pytest.mark.parametrize(("data", "model"), [("digits", "cnn"), ("spiral", "mlp")])
def test_every_dataset_and_model(data: str, model: str, tmp_path: Path) -> None:
    folder, weights = tmp_path / "report", str(tmp_path / "w.npz")
    task = ["--data", data, "--model", model]
    trained = run(
        "train", *task, "--epochs", "1", "--seed", "0", "--save", weights, "--report", str(folder)
    )
    assert trained.exit_code == 0, trained.output
    files = {"confusion.png", "curves.png"} | ({"misread.png"} if data == "digits" else set())
    assert {path.name for path in folder.iterdir()} == files
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())
    assert all(str(folder / name) in trained.output for name in files)
    accuracy = trained.output.split("test accuracy ")[-1].split()[0]
    assert f"test accuracy {accuracy}" in run("eval", *task, "--load", weights).output


def test_confusion_is_counted() -> None:
    from dezero.cli.report import confusion_matrix

    labels, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    counts = confusion_matrix(labels, predicted, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


@pytest.mark.skipif("DEZERO_DATA" not in os.environ, reason="no MNIST: set DEZERO_DATA")
def test_mnist(tmp_path: Path) -> None:
    from dezero.cli.task import loader

    x, t = next(iter(loader("mnist", "cnn", "numpy", False, 50)))
    assert (x.shape, x.dtype, t.shape) == ((50, 1, 28, 28), np.float32, (50,))


def test_mnist_that_is_not_there(tmp_path: Path, monkeypatch: Any) -> None:
    from dezero_io import download
    from dezero_io.datasets import mnist

    monkeypatch.setenv("DEZERO_DATA", str(tmp_path))
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    result = run("train", "--data", "mnist")
    assert result.exit_code == 1
    assert f"is not in {tmp_path / 'mnist'}" in result.output
    assert "t10k-labels-idx1-ubyte.gz" in result.output


def test_one_seed_repeats_a_run() -> None:
    runs = [run("train", "--epochs", "1", "--seed", "3").output for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] != run("train", "--epochs", "1", "--seed", "4").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--backend", "nunpy"], "unknown backend 'nunpy'; registered: "),
        (["train", "--backend", "numpy", "--device", "cuda"], "--device cuda means --backend cuda"),
        (["train", "--data", "mnits"], "'mnits' is not"),
        (["train", "--epochs", "0"], "--epochs"),
        (["train", "--model", "rnn"], "'rnn' is not"),
        (["train", "--data", "spiral", "--model", "cnn"], "takes images, and spiral has none"),
        (["eval"], "--load"),
        (["eval", "--load", "nowhere.npz"], "does not exist"),
    ],
)
def test_bad_options(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_file_that_does_not_fit(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    wrong.write_text("no weights")
    result = run("eval", "--load", str(wrong))
    assert result.exit_code == 1
    assert "wrong.npz is cut off, damaged, or no npz file" in result.output


def test_info_shows_what_there_is() -> None:
    result = run("info")
    assert result.exit_code == 0
    for part in (
        "dezero-suite",
        "numpy                   ready (dlpack, float64, in_place, random, scatter_add)",
        "sigmoid",
        ".npz                    io",
        "loaded (dezero-core",
    ):
        assert part in result.output


def test_info_shows_what_was_left_out(monkeypatch: Any) -> None:
    def broken() -> Any:
        raise RuntimeError("no luck")

    from dezero_core.extend import BackendSpec, Kernel, hookimpl

    plugin = SimpleNamespace(
        DEZERO_API=1,
        dezero_backends=hookimpl(lambda: [BackendSpec("bad", ("bad:Array",), broken)]),
        dezero_kernels=hookimpl(lambda: [Kernel("unheard of", "numpy", abs)]),
        dezero_weight_formats=hookimpl(lambda: broken()),
    )
    versions = {"dezero": "9.9", "numpy": "2.9"}
    monkeypatch.setattr(sys.modules["dezero.cli.info"], "installed", versions.get)
    plugins.register(plugin, "culprit", "stranger 1.2")
    try:
        printed = run("info").output
    finally:
        plugins.unregister("culprit")
    assert "bad                     not usable: RuntimeError: no luck" in printed
    assert "dormant: no loaded package defines this op" in printed
    assert "failed (stranger 1.2): dezero_weight_formats raised RuntimeError: no luck" in printed
    assert "dezero 9.9 owns `import dezero` too" in printed
    assert "not installed (NVIDIA GPUs: pip install" in printed


def test_a_terminal_gets_a_bar(monkeypatch: Any) -> None:
    train = sys.modules["dezero.cli.train"]

    class Terminal(train.Console):
        is_terminal = True

    monkeypatch.setattr(train, "Console", lambda: Terminal(force_terminal=True, width=120))
    result = run("train", "--epochs", "1", "--seed", "0")
    assert result.exit_code == 0
    assert "45/45" in result.output


TRAIN = ("train", "--data", "digits", "--model", "cnn", "--epochs", "3")


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in two epochs and after one; the weights are the uninterrupted run's, bit for bit."""
    seeded = (*TRAIN, "--seed", "1")
    assert run(*seeded, "--save", str(tmp_path / "whole.npz")).exit_code == 0
    accuracy, calls = F.accuracy, iter(range(10_000))

    def pressing(y: Any, t: Any) -> Any:
        if next(calls) in (7, 44, 90):  # 45 steps an epoch, 12 batches of test data
            signal.raise_signal(signal.SIGINT)
        return accuracy(y, t)

    monkeypatch.setattr(F, "accuracy", pressing)
    resumed = (*seeded, "--checkpoint", str(tmp_path / "run"), "--resume")
    for _ in range(3):
        stopped = run(*resumed, "--save", str(tmp_path / "parts.npz"))
        assert stopped.exit_code == 130 and "with --resume" in stopped.output, stopped.output
    ended = run(*resumed, "--save", str(tmp_path / "parts.npz"))
    assert ended.exit_code == 0 and "goes on from" in ended.output
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_checkpoints_of_another_run_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    common = ("train", "--data", "spiral", "--epochs", "2", "--checkpoint", str(folder))
    assert run(*common).exit_code == 0
    files = {file: file.read_bytes() for file in folder.iterdir()}
    assert sorted(file.name for file in files) == ["step-000000010.npz", "step-000000020.npz"]
    again = run(*common)
    assert again.exit_code == 2 and "add --resume to go on from there" in again.output
    assert {file: file.read_bytes() for file in folder.iterdir()} == files
    done = run(*common, "--resume")  # nothing is left to do
    assert done.exit_code == 0 and "test accuracy" in done.output
    alone = run("train", "--resume")
    assert alone.exit_code == 2 and "--resume needs --checkpoint" in alone.output
