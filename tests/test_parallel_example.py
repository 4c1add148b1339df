"""Run the program of examples/parallel in one process; dezero-mpi's tests start it on ranks."""

import runpy
from pathlib import Path

import pytest

import dezero_parallel.worlds

PROGRAM = Path(__file__).parent.parent / "examples" / "parallel" / "train.py"


def test_the_example_continues_from_its_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dezero_parallel.worlds, "_found", [])
    main = runpy.run_path(str(PROGRAM))["main"]
    main(str(tmp_path / "straight"), 3)
    straight = capsys.readouterr().out.splitlines()
    main(str(tmp_path / "stopped"), 1)
    main(str(tmp_path / "stopped"), 3)
    assert capsys.readouterr().out.splitlines() == straight
    assert len(straight) == 3
