"""Define the interface of engines that connect the ranks of a job, and find an engine by name.

A job is a group of processes, called ranks, that train one model together. A launcher such as
``mpiexec`` starts the ranks. An engine (MPI, NCCL) sends objects between the ranks and sums arrays
over the ranks. dezero-parallel calls the engine; nothing in this module is called while an op runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from .backends.interface import Array
from .errors import COMMUNICATOR_HINTS, ArgumentError, CommunicatorError, UnknownName
from .hooks import call_plugin
from .plugins import Catalog, plugins


@runtime_checkable
class Communicator(Protocol):
    """The interface of an engine in one rank.

    All ranks call ``gather``, ``broadcast``, ``start`` and ``wait`` in the same order. Objects are
    sent as pickles, only between the processes of one job. ``start`` does not compare what
    the ranks pass; dezero-parallel compares models before the first sum.

    Attributes:
        rank: the number of this process, from 0 to ``size - 1``.
        size: the number of ranks.
    """

    rank: int
    size: int

    def gather(self, value: object) -> list[Any]:
        """Return the values that all ranks pass, on every rank, in the order of the ranks."""

    def broadcast(self, value: object) -> Any:
        """Return the value that rank 0 passes, on every rank; the other values are ignored."""

    def start(self, array: Array) -> Any:
        """Start to replace ``array`` by its sum over the ranks, and return a request.

        The caller neither reads nor writes ``array`` between ``start`` and ``wait``. Several
        requests may be open; all ranks start them in the same order.

        Args:
            array: a contiguous array of an array type in `CommunicatorSpec.arrays`, of dtype
                float16, float32, float64 or int64, with the same shape on all ranks. The array may
                be empty.

        Raises:
            ArgumentError: ``array`` is not contiguous, or has another type or dtype.
        """

    def poll(self, request: Any) -> None:
        """Let the engine work on a request, and return at once."""

    def wait(self, request: Any) -> None:
        """Return when the array of ``request`` holds the sum; all ranks get the same bits."""

    def leave(self, step: int) -> None:
        """Announce that this rank ends after ``step``; return when all ranks have announced it.

        Afterwards the caller uses no method but `departed`.
        """

    def departed(self) -> tuple[int, int] | None:
        """Return the rank and step of another rank that called `leave`, or None.

        Another thread may call this method while this rank waits in any other method.
        """

    def abort(self) -> None:
        """End the processes of all ranks at once, without waiting for any rank."""


@dataclass(frozen=True)
class CommunicatorSpec:
    """Describe an engine, so that a plugin can register the engine without importing it.

    Attributes:
        name: the name in ``get_communicator(name)``.
        launched: a function that returns how many ranks the environment variables announce, or 0
            if this engine's launcher did not start the process. The function imports no engine.
        make: a function that imports the engine, connects this rank, and returns the
            `Communicator`.
        arrays: the array classes that the engine sums, as ``"module:Class"``.
        priority: if several engines' launchers started the process, ``"auto"`` chooses the engine
            with the highest priority (default 0).

    Raises:
        ArgumentError: ``name`` is ``"auto"``, empty or not a string, or ``arrays`` is not a tuple
            of ``"module:Class"``.
    """

    name: str
    launched: Callable[[], int]
    make: Callable[[], Communicator]
    arrays: tuple[str, ...] = ("numpy:ndarray",)
    priority: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name in ("", "auto"):
            raise ArgumentError(f"CommunicatorSpec: name is {self.name!r}; choose another name")
        arrays = self.arrays if isinstance(self.arrays, tuple) else (None,)
        if not all(isinstance(t, str) and t.count(":") == 1 for t in arrays):
            raise ArgumentError(
                f"CommunicatorSpec {self.name!r}: arrays is {self.arrays!r}; expected a tuple such "
                'as ("module:Class",)'
            )


_catalog: Catalog[CommunicatorSpec] = Catalog(
    "dezero_communicators", CommunicatorSpec, lambda spec: [spec.name]
)


def communicators() -> list[tuple[CommunicatorSpec, str]]:
    """Return every engine, with the name of the plugin that registered it."""
    return _catalog.items()


def get_communicator(name: str = "auto") -> Communicator | None:
    """Connect this rank to the other ranks of the job, and return its `Communicator`.

    Args:
        name: the name of an engine. ``"auto"`` (default) chooses the engine with the highest
            priority among those whose launcher started this process.

    Returns:
        the communicator; None if ``name`` is ``"auto"`` and no launcher started this process.

    Raises:
        CommunicatorError: the engine failed to start, or it connects a different number of ranks
            than the launcher announced.
        MissingPackage: the distribution that registers the engine is not installed.
        PluginError: the plugin that registers the engine failed or is blocked.
        UnknownName: no plugin registers an engine with this name.
    """
    if name != "auto":
        spec = _catalog.get(name)
        if spec is not None:
            return _create_communicator(spec)
        package = COMMUNICATOR_HINTS.get(name)
        plugins.raise_if_left_out(package or name, package, f"engine {name!r} is not installed")
        known = ", ".join(spec.name for spec, _ in communicators()) or "none"
        raise UnknownName(f"unknown engine {name!r}; registered: {known}{plugins.left_out()}")
    launched = [spec for spec, _ in communicators() if _call(spec, "launched")]
    return _create_communicator(max(launched, key=lambda spec: spec.priority)) if launched else None


def _call(spec: CommunicatorSpec, what: str) -> Any:
    return call_plugin(getattr(spec, what), f"engine {spec.name!r}: {what}", CommunicatorError)


def _create_communicator(spec: CommunicatorSpec) -> Communicator:
    """Return a new communicator, after checking its interface and its number of ranks."""
    made, announced = _call(spec, "make"), _call(spec, "launched")
    if not isinstance(made, Communicator):
        raise CommunicatorError(
            f"engine {spec.name!r}: make returned {type(made).__name__}, which lacks some of "
            "the attributes and methods of dezero_core.extend.Communicator; return an object that "
            "has all ten"
        )
    if announced not in (0, made.size):
        raise CommunicatorError(
            f"engine {spec.name!r}: the launcher announced {announced} ranks, but the engine "
            f"connects {made.size}; expected the launcher that belongs to the engine's library, "
            "such as the mpiexec of the same MPI, or srun with the --mpi of this MPI"
        )
    return made
