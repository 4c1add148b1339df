"""Check the command ``dezero train --ranks``, which starts its own launcher."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dezero.cli import main

TRAIN = ["train", "--data", "spiral", "--epochs", "2", "--seed", "0"]


@pytest.fixture
def dezero(jobs):
    """Return ``dezero(*arguments)``, which runs the command and returns how it ended."""
    return lambda *arguments: jobs.finish(jobs.start([sys.executable, "-m", "dezero", *arguments]))


def test_two_ranks_print_and_save_what_one_process_does(dezero, tmp_path: Path) -> None:
    alone = dezero(*TRAIN, "--ranks", "1", "--save", "alone.npz")
    ranks = dezero(*TRAIN, "--ranks", "2", "--save", "alone.npz", "--checkpoint", "checkpoints")
    assert alone.code == ranks.code == 0, ranks.output
    assert ranks.output == alone.output, "rank 0 prints each line once"
    assert len(list((tmp_path / "checkpoints").glob("*.npz"))) == 2


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("--model cnn --dropout 0", marks=pytest.mark.slow),
        "--model gpt --data text",
    ],
)
def test_two_ranks_train_with_the_losses_of_one_process(dezero, tmp_path: Path, task: str) -> None:
    (tmp_path / "text").write_text("to be, or not to be, that is the question. " * 100)
    train = ["train", *task.split(), "--epochs", "1", "--seed", "0"]
    alone, ranks = dezero(*train), dezero(*train, "--ranks", "2")
    assert alone.code == ranks.code == 0, ranks.output
    assert ranks.output == alone.output


@pytest.mark.slow
def test_more_ranks_continue_from_a_checkpoint(dezero) -> None:
    checkpoint = ["--checkpoint", "checkpoints"]
    dezero(*TRAIN, *checkpoint, "--epochs", "1", "--ranks", "2")
    resumed = dezero(*TRAIN, *checkpoint, "--resume", "--ranks", "3")
    assert resumed.code == 0 and "continues from" in resumed.output, resumed.output
    alone = dezero(*TRAIN)
    assert resumed.output.splitlines()[-2:] == alone.output.splitlines()[-2:]


# Arguments after `dezero train`, and a text of the error.
ERRORS = {
    "no ranks": (["--ranks", "0"], "0 is not in the range x>=1"),
    "more ranks than examples": (["--ranks", "9", "--batch-size", "8"], "choose fewer ranks"),
    "no such file": (["--ranks", "2", "--load", "missing.npz"], "missing.npz"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_wrong_option_is_reported_before_the_launcher_starts(case: str) -> None:
    arguments, text = ERRORS[case]
    ended = CliRunner().invoke(main, ["train", *arguments])
    assert ended.exit_code == 2 and text in ended.output, ended.output


def test_the_launcher_started_another_number_of_ranks(jobs) -> None:
    ended = jobs.run(2, "-m", "dezero", *TRAIN, "--ranks", "4")
    assert ended.code != 0
    assert "--ranks 4: the launcher started 2 ranks; leave --ranks out" in ended.output
