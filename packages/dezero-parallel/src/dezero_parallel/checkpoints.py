"""Save and load the checkpoints of a job: rank 0 writes, and any number of ranks loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dezero_core.errors import CommunicatorError
from dezero_core.state import use_rank
from dezero_io import Checkpoint, Checkpointer, DataLoader
from dezero_io.weights.random_state import Generators
from dezero_nn import Layer
from dezero_nn.optimizers import Optimizer

from .collectives import Collectives
from .sharding import Sharding
from .signatures import describe_value, fingerprint, require_equal

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
    place, collectives = "world.save", world.collectives
    weights = {key: fingerprint([x.data]) for key, x in world.averaged().items()}
    require_equal(
        collectives,
        place,
        weights,
        "SHA-256 of its weights",
        "make the same updates, with the same learning rates, on all ranks",
    )
    gathered: dict[str, Any] = {
        name: Gathered(part.state_dict()) if Sharding.is_sharded(part) else part
        for name, part in parts.items()
    }
    mine = {
        "random": Generators().state_dict(),
        "parts": differing_parts(collectives, place, parts),
    }
    states = collectives.gather(place, mine)
    checkpointer.writer = collectives.rank == 0
    collectives.run_together(place, lambda: checkpointer.save(step, rank_states=states, **gathered))


def load(world: World, checkpointer: Checkpointer, parts: Mapping[str, Any]) -> Checkpoint | None:
    """Let all ranks load the newest checkpoint from a folder that all hosts share."""
    place, collectives = "world.load", world.collectives
    require_shared_folder(collectives, place, checkpointer)
    last = collectives.run_together(place, lambda: checkpointer.load(**parts))
    step = "none" if last is None else str(last.step)
    require_equal(collectives, place, {"step": step}, "checkpoint", "restart the job")
    if last is not None:
        world.count_step(last.step)
        load_rank_state(collectives, place, last, parts)
    return last


def differing_parts(
    collectives: Collectives, place: str, parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the states of the program's own parts that differ between the ranks.

    An example is the state of an LSTM, which belongs to the rows of one rank. Models, optimizers
    and loaders are equal on all ranks.
    """
    known = Layer, Optimizer, DataLoader
    states = {
        name: part.state_dict()
        for name, part in parts.items()
        if hasattr(part, "state_dict") and not isinstance(part, known)
    }
    found = collectives.gather(
        place, {name: describe_value(state) for name, state in states.items()}
    )
    return {
        name: x for name, x in states.items() if any(f.get(name) != found[0][name] for f in found)
    }


def load_rank_state(
    collectives: Collectives, place: str, last: Checkpoint, parts: Mapping[str, Any]
) -> None:
    """Restore what differs between the ranks: random generators, and parts of the program.

    Raises:
        CommunicatorError: a part differs between the ranks, and the checkpoint is from another
            number of ranks.
    """
    ranks = len(last.rank_states)
    names = [name for name in (last.rank_states[0]["parts"] if ranks else {}) if name in parts]
    if ranks == collectives.size:
        own = last.rank_states[collectives.rank]
        Generators().load_state_dict(own["random"])
        for name in names:
            parts[name].load_state_dict(own["parts"][name])
        return
    if names:
        raise CommunicatorError(
            f"{place}: the part {names[0]!r} differs between the {ranks} ranks that saved "
            f"{last.path}, and this job has {collectives.size}; restart with {ranks} ranks, or "
            "load without this part"
        )
    use_rank(collectives.rank)  # the loaded states are those of rank 0, on all ranks


def require_shared_folder(collectives: Collectives, place: str, checkpointer: Checkpointer) -> None:
    """Check that all ranks see the folder of rank 0.

    Raises:
        CommunicatorError: a rank does not see a file that rank 0 has created.
    """
    mark = collectives.run_together(
        place, lambda: checkpointer.create_mark() if collectives.rank == 0 else ""
    )
    mark = collectives.broadcast(place, mark)
    found = collectives.gather(place, (collectives.host, checkpointer.has_mark(mark)))
    for rank, (host, is_seen) in enumerate(found):
        if not is_seen:
            raise CommunicatorError(
                f"{place}: rank {rank} on {host} does not see the files of rank 0 on "
                f"{found[0][0]} in {checkpointer.folder}; expected a folder that all hosts share, "
                "such as one on a network file system"
            )
