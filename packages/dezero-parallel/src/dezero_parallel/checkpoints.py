"""Save and load the checkpoints of a job: rank 0 writes, and any number of ranks loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dezero_core.errors import CommunicatorError
from dezero_io import Checkpoint, Checkpointer
from dezero_io.weights.random_state import Generators

from .meetings import Meetings
from .sharding import Sharding
from .signatures import fingerprint, require_equal

if TYPE_CHECKING:
    from .worlds import World


@dataclass
class Gathered:
    """Hold the state of a part, gathered from all ranks."""

    state: dict[str, Any]

    def state_dict(self) -> dict[str, Any]:
        """Return the gathered state as it is."""
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the gathered state by another."""
        self.state = state


def save(world: World, checkpointer: Checkpointer, step: int, parts: Mapping[str, Any]) -> None:
    """Let rank 0 write a checkpoint; an error of rank 0 is raised on all ranks."""
    place, meetings = "world.save", world.meetings
    weights = {key: fingerprint([x.data]) for key, x in world.averaged().items()}
    require_equal(
        meetings,
        place,
        weights,
        "SHA-256 of its weights",
        "make the same updates, with the same learning rates, on all ranks",
    )
    gathered: dict[str, Any] = {
        name: Gathered(part.state_dict()) if Sharding.of(part) else part
        for name, part in parts.items()
    }
    states = meetings.gather(place, Generators().state_dict())
    checkpointer.writer = meetings.rank == 0
    meetings.together(place, lambda: checkpointer.save(step, rank_states=states, **gathered))


def load(world: World, checkpointer: Checkpointer, parts: Mapping[str, Any]) -> Checkpoint | None:
    """Let all ranks load the newest checkpoint from a folder that all hosts share."""
    place, meetings = "world.load", world.meetings
    require_shared_folder(meetings, place, checkpointer)
    last = meetings.together(place, lambda: checkpointer.load(**parts))
    step = "none" if last is None else str(last.step)
    require_equal(meetings, place, {"step": step}, "checkpoint", "restart the job")
    if last is not None:
        world.count_step(last.step)
        if len(last.rank_states) == meetings.size:
            Generators().load_state_dict(last.rank_states[meetings.rank])
    return last


def require_shared_folder(meetings: Meetings, place: str, checkpointer: Checkpointer) -> None:
    """Check that all ranks see the folder of rank 0.

    Raises:
        CommunicatorError: a rank does not see a file that rank 0 has created.
    """
    mark = meetings.together(place, lambda: checkpointer.mark() if meetings.rank == 0 else "")
    mark = meetings.broadcast(place, mark)
    found = meetings.gather(place, (meetings.host, checkpointer.sees(mark)))
    for rank, (host, is_seen) in enumerate(found):
        if not is_seen:
            raise CommunicatorError(
                f"{place}: rank {rank} on {host} does not see the files of rank 0 on "
                f"{found[0][0]} in {checkpointer.folder}; expected a folder that all hosts share, "
                "such as one on a network file system"
            )
