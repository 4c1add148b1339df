"""Test what the command prints, writes and refuses."""

import errno
import os
import re
import shutil
import signal
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dezero import Checkpointer, Parameter, save_checkpoint, set_blas_threads
from dezero import functions as F
from dezero.cli import main, shorten_message
from dezero.cli.training import Curves
from dezero.datasets import Characters
from dezero.models import GPT
from dezero_core.backends import host
from dezero_core.errors import WeightsError
from dezero_core.extend import get_backend, plugins
from dezero_core.state import load_weights, save_weights
from dezero_nn.blas import BLAS_THREADS, thread_functions


@pytest.fixture(autouse=True)
def _no_seed_stays(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("COLUMNS", raising=False)  # set by the terminal of the test run
    yield
    host.streams().seeded = None


@pytest.fixture(autouse=True, scope="module")
def _one_blas_thread() -> Any:
    """Let BLAS use one thread: with more, idle threads of small matmuls take most of the time."""
    before = BLAS_THREADS.configured()
    if thread_functions() is None:
        yield
        return
    set_blas_threads(1)
    yield
    set_blas_threads(before)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("backend", ["numpy", pytest.param("cuda", marks=pytest.mark.slow)])
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


@pytest.mark.parametrize(
    ("data", "model"),
    [pytest.param("digits", "cnn", marks=pytest.mark.slow), ("spiral", "mlp")],
)
def test_every_dataset_and_model(data: str, model: str, tmp_path: Path) -> None:
    folder, weights = tmp_path / "report", str(tmp_path / "w.npz")
    task = ["--data", data, "--model", model]
    trained = run(
        "train", *task, "--epochs", "1", "--seed", "0", "--save", weights, "--report", str(folder)
    )
    assert trained.exit_code == 0, trained.output
    files = {"confusion.png", "curves.png"} | ({"misclassified.png"} if data == "digits" else set())
    assert {path.name for path in folder.iterdir()} == files
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())
    assert all(str(folder / name) in trained.output for name in files)
    accuracy = trained.output.split("test accuracy ")[-1].split()[0]
    assert f"test accuracy {accuracy}" in run("eval", *task, "--load", weights).output


def test_training_on_a_text_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dezero.cli import report as files

    monkeypatch.setattr(files, "SAMPLE_LENGTH", 70)
    text, report, weights = tmp_path / "t.txt", tmp_path / "report", str(tmp_path / "w.npz")
    text.write_text("to be, or not to be, thät is the question. " * 20, encoding="utf-8")
    task = ["--data", str(text), "--model", "gpt"]
    results = ["--save", weights, "--report", str(report)]
    trained = run("train", *task, "--epochs", "4", "--batch-size", "4", "--seed", "0", *results)
    assert trained.exit_code == 0, trained.output
    losses = [float(line.split()[3]) for line in trained.output.splitlines()[:4]]
    assert losses[0] < 4 and losses[-1] < 0.9 * losses[0]
    assert {path.name for path in report.iterdir()} == {"curves.png", "sample.txt"}
    sample = (report / "sample.txt").read_text(encoding="utf-8")
    assert len(sample) == 64 + 70 and set(sample) <= set(text.read_text(encoding="utf-8"))
    accuracy = trained.output.split("test accuracy ")[-1].split()[0]
    assert f"test accuracy {accuracy}" in run("eval", *task, "--load", weights).output
    text.write_text(text.read_text(encoding="utf-8").replace("q", "x"), encoding="utf-8")
    other = run("eval", *task, "--load", weights)
    assert other.exit_code == 2 and "trained on a text with other characters" in other.output


def test_every_backend_writes_a_sample(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dezero.cli import report

    monkeypatch.setattr(report, "SAMPLE_LENGTH", 5)
    test = Characters("to be, or not to be", 8, train=False)
    model = GPT(len(test.vocabulary), 8, channels=4, heads=2, blocks=1).to(backend)
    report.write_sample(model, test, tmp_path / "sample.txt")
    assert len((tmp_path / "sample.txt").read_text(encoding="utf-8")) == 8 + 5


def test_files_without_a_usable_text_are_refused(tmp_path: Path) -> None:
    path, gpt = tmp_path / "t.txt", ["train", "--model", "gpt", "--data"]
    short = "short".encode("utf-8-sig")  # the byte order mark is no character
    for content, message in (
        (b"\xff", "is not a text in UTF-8"),
        (short, "5 characters"),
        (b"", "is empty"),
    ):
        path.write_bytes(content)
        result = run(*gpt, str(path))
        assert result.exit_code != 0 and message in result.output, result.output
    path.write_text("a text " * 30)
    assert "is a text: use --model gpt" in run("train", "--data", str(path)).output


def test_a_resumed_run_keeps_its_model_and_data(tmp_path: Path) -> None:
    text, other = tmp_path / "t.txt", tmp_path / "other.txt"
    text.write_text("to be, or not to be, that is the question. " * 4)
    other.write_text("not to be, or to be, that is the question. " * 4)
    gpt = ("train", "--model", "gpt", "--checkpoint", str(tmp_path / "run"))
    assert run(*gpt, "--data", str(text), "--epochs", "1").exit_code == 0
    for wrong, message in (
        (("--data", str(other)), "of a run with a text of SHA-256"),
        (("--data", "spiral", "--model", "mlp"), "of a run with --model gpt"),
    ):
        resumed = run(*gpt, *wrong, "--epochs", "2", "--resume")
        assert resumed.exit_code == 1 and message in resumed.output, resumed.output
        assert resumed.output.count("\n") == 1, "one line"
    moved = text.rename(tmp_path / "moved.txt")
    assert run(*gpt, "--data", str(moved), "--epochs", "1", "--resume").exit_code == 0


def test_checkpoints_without_the_data_of_the_run_continue() -> None:
    """Load curves that an earlier version saved without the names of model and data."""
    curves = Curves(model="--model mlp", data="--data digits")
    curves.load_state_dict({"test_loss": [0.5]})
    assert curves == Curves(test_loss=[0.5], model="--model mlp", data="--data digits")


def test_warnings_and_errors_are_single_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "step-000000005.npz").touch()
    resume = ("train", "--data", "spiral", "--checkpoint", str(tmp_path), "--resume")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warned = run(*resume)
        warnings.simplefilter("error")
        raised = run(*resume)
    assert [line.split(":")[0] for line in warned.output.splitlines()] == ["Warning", "Error"]
    assert raised.exit_code == 1 and raised.output.startswith("Error: skipped a checkpoint")

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "w.npz")

    monkeypatch.setattr(sys.modules["dezero.cli.train"], "connect", full)
    assert run("train").output == "Error: w.npz: No space left on device\n"
    parts = "; ".join(f"missing {i}" for i in range(100))
    assert shorten_message(parts).endswith("missing 6; (92 more differences); missing 99")
    assert shorten_message("one; two") == "one; two"


def test_output_in_an_encoding_without_the_characters(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    save_weights({"W": Parameter(np.ones(2))}, path, metadata={"text": "✓\n\x1b[31m" + "x" * 300})
    shown = CliRunner(charset="latin-1").invoke(main, ["weights", "show", str(path)])
    line = shown.stdout_bytes.decode("latin-1").splitlines()[-1]
    assert line == "text: \\u2713\\n\\x1b[31m" + "x" * 189 + "... (307 characters)"


def test_weights_are_not_saved_as_a_graph(monkeypatch: pytest.MonkeyPatch, untrained: None) -> None:
    graph = SimpleNamespace(suffix=".onnx", needs=None)
    monkeypatch.setattr("dezero.cli.files.format_for", lambda value: (Path(value), graph))
    refused = run("train", "--save", "w.onnx")
    assert refused.exit_code == 2 and "write the graph with dezero export" in refused.output


def test_a_checkpoint_is_not_a_weight_file(tmp_path: Path) -> None:
    path = tmp_path / "step.npz"
    save_checkpoint(path, model={"W": Parameter(np.ones(2))})
    with pytest.raises(WeightsError, match="The file is a checkpoint: load_checkpoint"):
        load_weights({"W": Parameter(np.ones(2))}, path)


def test_confusion_matrix() -> None:
    from dezero.cli.report import confusion_matrix

    labels, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    counts = confusion_matrix(labels, predicted, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


@pytest.mark.skipif("DEZERO_DATA" not in os.environ, reason="no MNIST: set DEZERO_DATA")
def test_mnist(tmp_path: Path) -> None:
    from dezero.cli.data import DATA
    from dezero.cli.task import loader

    x, t = next(iter(loader(DATA["mnist"], "cnn", "numpy", False, 50)))
    assert (x.shape, x.dtype, t.shape) == ((50, 1, 28, 28), np.float32, (50,))


def test_missing_mnist(tmp_path: Path, monkeypatch: Any) -> None:
    from dezero_io.data import download
    from dezero_io.data.datasets import mnist

    monkeypatch.setenv("DEZERO_DATA", str(tmp_path))
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    result = run("train", "--data", "mnist")
    assert result.exit_code == 1
    assert f"is not in {tmp_path / 'mnist'}" in result.output
    assert "t10k-labels-idx1-ubyte.gz" in result.output


def test_one_seed_repeats_a_run() -> None:
    spiral = ("train", "--data", "spiral", "--epochs", "1", "--seed")
    runs = [run(*spiral, "3").output for _ in range(2)]
    assert runs[0] == runs[1] and "test accuracy" in runs[0]
    assert runs[0] != run(*spiral, "4").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--backend", "nunpy"], "unknown backend 'nunpy'; registered: "),
        (["train", "--backend", "numpy", "--device", "cuda"], "--device cuda means --backend cuda"),
        (["train", "--data", "mnits"], "'mnits' is not digits, mnist, "),
        (["train", "--model", "gpt"], "--model gpt takes a text, and digits is not a text"),
        (["train", "--epochs", "0"], "'--epochs': 0 is not in the range x>=1"),
        (["train", "--batch-size", "0"], "'--batch-size': 0 is not in the range x>=1"),
        (["train", "--seed", "-1"], "'--seed': -1 is not in the range 0<=x<="),
        (["train", "--seed", str(2**70)], "is not in the range 0<=x<="),
        (
            ["train", "--dropout", "0.5"],
            "--dropout 0.5: --model mlp has no dropout; use --model cnn or --model gpt",
        ),
        (["train", "--model", "cnn", "--dropout", "1"], "1.0 is not in the range 0<=x<1"),
        (["train", "--lr", "-1"], "'--lr': -1 is not a finite number above 0"),
        (["train", "--lr", "nan"], "'--lr': nan is not a finite number above 0"),
        (["train", "--lr", "inf"], "'--lr': inf is not a finite number above 0"),
        (["train", "--lr", "fast"], "'--lr': fast is not a finite number above 0"),
        (["train", "--save", "w.pth"], "'--save': w.pth: no format for '.pth'; known: .npz, "),
        (["train", "--save", "w.h5"], "no format for '.h5'; known: .npz, "),
        (["train", "--save", "folder/"], "'folder/' names a folder"),
        (["train", "--load", "w.pt"], "save a PyTorch state_dict as .safetensors"),
        (["train", "--load", "nowhere"], "'--load': nowhere.npz not found"),
        (["train", "--plot", "c.docx"], "'--plot': c.docx: no format for '.docx'; known: "),
        (["train", "--model", "rnn"], "'rnn' is not"),
        (["train", "--data", "spiral", "--model", "cnn"], "takes images, and spiral has none"),
        (["eval"], "--load"),
        (["eval", "--load", "nowhere.npz"], "'--load': nowhere.npz not found"),
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
    result = run("eval", "--data", "spiral", "--load", str(wrong))
    assert result.exit_code == 1
    assert "wrong.npz is cut off, damaged, or no npz file" in result.output


def test_info_shows_what_is_installed() -> None:
    result = run("info")
    assert result.exit_code == 0
    for part in (
        "dezero-suite",
        "numpy                   ready (dlpack, float64, in_place, index_errors, random",
        "sigmoid",
        ".npz                    io",
        "loaded (dezero-core",
    ):
        assert part in result.output


def test_info_shows_which_libraries_of_nvidia_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"dezero-cuda": "1.0", "numpy": "2.9", "nvmath-python": "2.0"}
    monkeypatch.setattr(sys.modules["dezero.cli.info"], "installed", versions.get)
    lines = [line.split(maxsplit=1) for line in run("info").output.splitlines() if line]
    shown = {line[0]: line[1] for line in lines if len(line) > 1}
    assert shown["nvmath-python"] == "2.0"
    assert shown["nvidia-cudnn-frontend"].startswith("not installed (convolutions on a GPU by")


def test_info_shows_which_package_a_format_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    lines = [line.split(maxsplit=1) for line in run("info").output.splitlines()]
    assert [".npz", "io"] in lines
    needs = "needs safetensors: pip install 'dezero-io[safetensors]'"
    assert [".safetensors", needs] in lines
    refused = run("train", "--save", "w.safetensors")
    assert refused.exit_code == 2 and "needs safetensors: pip install" in refused.output


@pytest.mark.parametrize("columns", [None, 20, 40, 80, 200])
def test_columns_of_info_are_separated(
    columns: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dezero.cli.info import show

    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    names = ["a", "b" * 24, "c" * 100]
    show("title", [(name, "v" * 120) for name in names])
    lines = capsys.readouterr().out.splitlines()[2:]
    assert all(re.fullmatch(r"  [abc]* *(  v+)?", line) for line in lines), lines
    assert [sum(line.count(name[0]) for line in lines) for name in names] == [1, 24, 100]
    if columns:
        assert max(map(len, lines)) <= columns
    else:
        assert len(lines) == 3


def test_info_shows_plugins_that_failed(monkeypatch: Any) -> None:
    def broken() -> Any:
        raise RuntimeError("no luck")

    from dezero_core.extend import BackendSpec, CommunicatorSpec, Kernel, hookimpl

    engines = [
        CommunicatorSpec("phone", lambda: 2, broken),
        CommunicatorSpec("fax", broken, broken),
    ]
    plugin = SimpleNamespace(
        DEZERO_API=1,
        dezero_backends=hookimpl(lambda: [BackendSpec("bad", ("bad:Array",), broken)]),
        dezero_communicators=hookimpl(lambda: engines),
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
    reason = "backend 'bad': its factory raised RuntimeError: no luck"
    assert f"bad                     not usable: {reason}" in printed
    assert "dormant: no loaded package defines this op" in printed
    assert "failed (stranger 1.2): dezero_weight_formats raised RuntimeError: no luck" in printed
    assert "2 ranks launched, sums numpy:ndarray, from plugin culprit" in printed
    assert "fax                     not usable: RuntimeError: no luck" in printed
    assert "dezero 9.9 owns `import dezero` too" in printed
    assert "not installed (NVIDIA GPUs: pip install" in printed


def test_a_progress_bar_on_a_terminal(monkeypatch: Any) -> None:
    train = sys.modules["dezero.cli.train"]

    class Terminal(train.Console):
        is_terminal = True

    monkeypatch.setattr(train, "Console", lambda: Terminal(force_terminal=True, width=120))
    result = run(*SPIRAL)
    assert result.exit_code == 0
    assert "10/10" in result.output


TRAIN = ("train", "--data", "digits", "--model", "cnn", "--epochs", "3")


def test_a_resumed_run_equals_the_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupt within two epochs and after one; the weights have the bits of a whole run."""
    seeded = (*TRAIN, "--seed", "1")
    assert run(*seeded, "--save", str(tmp_path / "whole.npz")).exit_code == 0
    accuracy, calls = F.accuracy, iter(range(10_000))

    signals = {7: signal.SIGINT, 44: signal.SIGTERM, 90: signal.SIGINT}  # by call of accuracy

    def stopping(y: Any, t: Any) -> Any:
        number = signals.get(next(calls))  # 45 steps an epoch, 12 batches of test data
        if number is not None:
            signal.raise_signal(number)
        return accuracy(y, t)

    monkeypatch.setattr(F, "accuracy", stopping)
    resumed = (*seeded, "--checkpoint", str(tmp_path / "run"), "--resume")
    for number in signals.values():
        stopped = run(*resumed, "--save", str(tmp_path / "parts.npz"))
        assert stopped.exit_code == 128 + number, stopped.output
        assert "--resume continues" in stopped.output, stopped.output
    ended = run(*resumed, "--save", str(tmp_path / "parts.npz"))
    assert ended.exit_code == 0 and "continues from" in ended.output
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_checkpoints_of_another_run_are_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    common = ("train", "--data", "spiral", "--epochs", "2", "--checkpoint", str(folder))
    assert run(*common).exit_code == 0
    files = {file: file.read_bytes() for file in folder.iterdir()}
    assert sorted(file.name for file in files) == ["step-000000010.npz", "step-000000020.npz"]
    again = run(*common)
    assert again.exit_code == 2 and "add --resume to continue" in again.output
    assert {file: file.read_bytes() for file in folder.iterdir()} == files
    done = run(*common, "--resume")  # the run is complete
    assert done.exit_code == 0 and "test accuracy" in done.output
    alone = run("train", "--resume")
    assert alone.exit_code == 2 and "--resume needs --checkpoint" in alone.output


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a run fail at its first step."""

    def fit(*arguments: Any) -> Any:
        raise AssertionError("trained before the options were checked")

    monkeypatch.setattr(sys.modules["dezero.cli.train"], "fit", fit)


OUTPUTS = [("--save", "w.npz"), ("--plot", "c.png"), ("--report", ""), ("--checkpoint", "")]


@pytest.mark.parametrize(("option", "name"), OUTPUTS)
def test_unwritable_files_are_refused_before_training(
    option: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untrained: None
) -> None:
    (tmp_path / "file").touch()
    behind_file = tmp_path / "file" / "out" / name
    path = tmp_path / "out" / name

    def refuse(*arguments: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "/x/.w.npz.host.1.abc.part")

    for target, reason, patched in [
        (behind_file, "Not a directory", False),
        (path, "Permission denied", True),
        (tmp_path / ("n" * 300) / name, "File name too long", False),
    ]:
        with monkeypatch.context() as patch:
            if patched:
                patch.setattr("dezero_io.weights.files.mkstemp", refuse)
            result = run("train", option, str(target))
        text = " ".join(result.output.split())
        assert result.exit_code == 2, result.output
        assert f"Invalid value for '{option}': {target} cannot be written: {reason}" in text
        assert ".part" not in text


def test_folders_with_the_names_of_files(tmp_path: Path, untrained: None) -> None:
    for option, name in OUTPUTS[:2]:
        (tmp_path / name).mkdir()
        result = run("train", option, str(tmp_path / name))
        assert result.exit_code == 2 and "a folder has this name" in result.output
    (tmp_path / "file").touch()
    for option, _ in OUTPUTS[2:]:
        result = run("train", option, str(tmp_path / "file"))
        assert result.exit_code == 2 and "is a file; expected a folder" in result.output


SPIRAL = ("train", "--data", "spiral", "--epochs", "1", "--seed", "0")


def test_names_without_a_real_suffix_get_one(tmp_path: Path) -> None:
    for name in ("epoch3-acc0.97", "model.v2.1", "plain"):
        saved = run(*SPIRAL, "--save", str(tmp_path / name))
        assert saved.exit_code == 0 and f"weights: {tmp_path / name}.npz" in saved.output
        for command in (
            ("eval", "--data", "spiral", "--load"),
            (*SPIRAL, "--load"),
            ("weights", "show"),
            ("weights", "verify"),
        ):
            again = run(*command, str(tmp_path / name))
            assert again.exit_code == 0, again.output
        converted = run("weights", "convert", str(tmp_path / name), str(tmp_path / f"{name}-2.0"))
        assert converted.exit_code == 0 and f"{name}-2.0.npz: 4 arrays" in converted.output
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}


def failing_replace(*names: str) -> Any:
    """Make ``os.replace`` fail as on a full disk for files with these names."""
    replace = os.replace

    def call(source: Any, target: Any) -> None:
        if Path(target).name in names:
            raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))
        replace(source, target)

    return call


def test_weights_that_cannot_be_saved_are_rescued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights go to the same folder, or else to the current one; the image is still written."""
    here, out = tmp_path / "here", tmp_path / "out"
    here.mkdir()
    monkeypatch.chdir(here)
    common = (*SPIRAL, "--save", str(out / "w.safetensors.npz"), "--plot", str(here / "curves"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing_replace("w.safetensors.npz"))
        full = run(*common)
    rescued = out / "w.safetensors.rescued.npz"
    assert full.exit_code == 1 and f"weights rescued: {rescued}" in full.output
    assert f"No space left on device: '{out / 'w.safetensors.npz'}'" in full.output
    assert ".part" not in full.output
    assert [path.name for path in out.iterdir()] == [rescued.name]
    assert (here / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "test accuracy" in run("eval", "--data", "spiral", "--load", str(rescued)).output

    accuracy = F.accuracy

    def removing(y: Any, t: Any) -> Any:
        shutil.rmtree(out, ignore_errors=True)
        return accuracy(y, t)

    monkeypatch.setattr(F, "accuracy", removing)
    gone = run(*common)
    assert gone.exit_code == 1 and f"no folder '{out}'" in gone.output
    assert f"weights rescued: {here / 'w.safetensors.rescued.npz'}" in gone.output
    assert (here / "w.safetensors.rescued.npz").read_bytes()


def test_a_run_continues_if_checkpoints_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", failing_replace("step-000000010.npz"))
    result = run(*SPIRAL, "--checkpoint", str(tmp_path / "run"))
    assert "no checkpoint could be written: [Errno 28] No space left" in result.output
    assert f"weights rescued: {tmp_path / 'run' / 'weights.rescued.npz'}" in result.output
    assert "test accuracy" in result.output


def test_resuming_without_a_checkpoint_starts_anew(tmp_path: Path) -> None:
    result = run(*SPIRAL, "--resume", "--checkpoint", str(tmp_path / "run"))
    assert result.exit_code == 0
    assert f"no checkpoint in {tmp_path / 'run'}: starting from the beginning" in result.output


def test_a_resumed_run_uses_the_given_learning_rate(tmp_path: Path) -> None:
    slow = run(*SPIRAL, "--lr", "1e-9", "--checkpoint", str(tmp_path / "run"))
    fast = run(*SPIRAL, "--lr", "0.1")
    assert slow.exit_code == fast.exit_code == 0 and slow.output != fast.output
    more = ("train", "--data", "spiral", "--epochs", "2", "--checkpoint", str(tmp_path / "run"))
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    kept = run(*more, "--resume")
    changed = run(*more[:-1], str(tmp_path / "copy"), "--resume", "--lr", "0.1")
    assert (
        kept.exit_code == changed.exit_code == 0
        and kept.output.splitlines()[1:] != changed.output.splitlines()[1:]
    )


def test_resuming_with_another_batch_size_keeps_the_newest_step(tmp_path: Path) -> None:
    folder = ["--checkpoint", str(tmp_path / "run")]
    assert run(*SPIRAL[:-2], "--epochs", "2", "--batch-size", "30", *folder).exit_code == 0
    more = run(*SPIRAL[:-2], "--epochs", "4", "--batch-size", "300", *folder, "--resume")
    assert more.exit_code == 0, more.output
    again = run(*SPIRAL[:-2], "--epochs", "4", "--batch-size", "300", *folder, "--resume")
    assert "epoch   3" not in again.output


def test_unwritten_checkpoints_end_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, step: int, **parts: Any) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Checkpointer, "save", full)
    result = run(*SPIRAL, "--checkpoint", str(tmp_path / "run"))
    assert result.exit_code == 1
    assert "no checkpoint could be written" in result.output


@pytest.mark.parametrize("name", ["", ".", "..", "/"])
def test_an_image_needs_a_file_name(name: str) -> None:
    result = run(*SPIRAL, "--plot", name)
    assert result.exit_code == 2
    assert "is not a file name" in result.output


@pytest.mark.parametrize("call", ["train", "eval"])
def test_training_and_evaluation_set_the_mode_of_layers(call: str) -> None:
    from dezero import DataLoader, Model, layers
    from dezero import functions as F
    from dezero.cli.training import Curves, evaluate_model, predictions, train_epoch
    from dezero.optimizers import SGD

    class Net(Model):
        def __init__(self) -> None:
            self.norm, self.linear = layers.BatchNorm(), layers.Linear(2)

        def forward(self, x: Any) -> Any:
            return F.dropout(self.linear(self.norm(x)))

    model = Net()
    batches = DataLoader([(np.full(3, i, "float32"), i % 2) for i in range(8)], 4)
    model(np.ones((4, 3), "float32"))
    getattr(model, call)()
    mean = np.array(model.norm.avg_mean.data)
    ordered = DataLoader(batches.dataset, 4, shuffle=False)
    assert evaluate_model(model, ordered) == evaluate_model(model, ordered)
    assert np.array_equal(predictions(model, ordered), predictions(model, ordered))
    assert np.array_equal(mean, model.norm.avg_mean.data)
    train_epoch(model, SGD().setup(model), batches, Curves(), lambda: None)
    assert not np.array_equal(mean, model.norm.avg_mean.data) and model.training


def test_training_takes_the_labels_of_every_backend(backend: str) -> None:
    from dezero.cli.training import scores_and_labels

    library, ids = get_backend(backend), np.arange(6).reshape(2, 3)
    model = GPT(6, 3, channels=4, heads=2, blocks=1).to(backend)
    x = library.from_numpy(ids)
    y, t = scores_and_labels(model, x, x)
    assert y.shape == (6, 6) and library.to_numpy(t.data).tolist() == [0, 1, 2, 3, 4, 5]
    assert F.softmax_cross_entropy(y, t).shape == F.accuracy(y, t).shape == ()


def test_a_library_whose_arrays_have_no_methods() -> None:
    trained = run("train", "--data", "spiral", "--epochs", "1", "--backend", "strict")
    assert trained.exit_code == 0 and "on backend strict" in trained.output, trained.output
