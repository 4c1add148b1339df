"""Check that the check of the project's English finds what it should, and nothing else."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "lint_words.py"


@pytest.fixture(scope="module")
def lint_words() -> Any:
    spec = importlib.util.spec_from_file_location("lint_words", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('"""The same for the gradient of W."""', "opens with 'The same'"),
        ('def f():\n    """Of several images, the last."""', "opens with 'Of'"),
        ('X = 1\n"""What ``X`` is used for here."""', "opens with 'What'"),
        ('class A:\n    """Return it."""', "fewer than 4 words"),
        ("x = 1  # its rows are shared out", "'shared out'; write: split; parallelised"),
        (
            '"""Compute the gradient of the filters, turned\naround, for ``x``."""',
            "'turned around'",
        ),
    ],
)
def test_an_offender_is_found(lint_words: Any, tmp_path: Path, source: str, message: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source + "\n")
    assert any(message in found for _, found in lint_words.findings(file))
    assert lint_words.main([str(tmp_path)]) == 1


def test_plain_sentences_pass_and_single_words_are_only_reported(
    lint_words: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "module.py"
    file.write_text('"""Return the offset of the first row."""\n\n# the way it was spent\n')
    assert lint_words.main([str(tmp_path)]) == 0
    assert lint_words.main(["--report", str(tmp_path)]) == 0
    assert "'spent'; perhaps: freed" in capsys.readouterr().out
