"""Check when a rank reports that it waits, and when it ends all ranks."""

import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from dezero_parallel import watcher
from dezero_parallel.collectives import Collectives
from dezero_parallel.threads import Job, ThreadCommunicator
from dezero_parallel.watcher import END, Watcher, program_frames

# The place of this rank, the seconds it has been there, the rank and step of a rank that has
# finished, what the rank says, and whether it ends all ranks; the limit is 10 s.
LOOKS: dict[str, tuple[str, float, tuple[int, int] | None, str, bool]] = {
    "computes": ("", 9, None, "", False),
    "waits": ("here", 9, None, "", False),
    "computes for long": (
        "",
        11,
        None,
        "has not called the other ranks for 11 s; it is here",
        False,
    ),
    "waits for long": ("here", 11, None, "waits for 11 s at: here", False),
    "waits in vain": ("here", 13, None, "another rank has not come within 10 s", True),
    "another has just finished": ("here", 1, (2, 7), "", False),
    "another has finished": ("here", 3, (2, 7), "rank 2 has finished its program after its", True),
    "computes, another has finished": ("", 3, (2, 7), "", False),
    "ends in vain": (END, 13, None, f"waited 13 s at: {END}", True),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_watcher_tells_late_ranks_from_lost_ones(name: str, monkeypatch: Any) -> None:
    place, seconds, left, text, ends = LOOKS[name]
    rank, said, ended = ThreadCommunicator(Job(3), 1), list[str](), list[bool]()
    monkeypatch.setattr(rank, "departed", lambda: left)
    monkeypatch.setattr(rank, "abort", lambda: ended.append(True))
    monkeypatch.setattr(watcher, "write", said.append)
    watch = Watcher(Collectives(rank), 10)
    watch.collectives.place, watch.collectives.since = place, time.monotonic() - seconds
    watch.check_ranks()
    watch.check_ranks()
    assert bool(ended) == ends
    assert text in "".join(said)
    assert bool(said) == bool(text)
    assert ends or len(said) <= 1, "said twice"
    assert all(line.startswith("[rank 1 of 3 on ") for line in said)


def test_an_error_is_shown_with_the_frames_of_the_program(monkeypatch: Any) -> None:
    starter = str(Path(watcher.__file__).with_name("supervisor.py"))
    names = ["<frozen runpy>", starter, "train.py", "model.py"]
    stack = [traceback.FrameSummary(name, 1, "main", line="f()") for name in names]
    shown = program_frames(traceback.StackSummary.from_list(stack))
    assert [frame.filename for frame in shown] == ["train.py", "model.py"]
