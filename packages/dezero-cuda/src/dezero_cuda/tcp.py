"""Connect the ranks of a job by TCP, for jobs that no MPI launcher started.

Rank 0 listens, and every other rank connects to rank 0. A message is a pickle, and a pickle can run
any code when it is read. So two processes first prove to each other that they know the secret of
the job; nothing from an unknown process is unpickled. Messages are not encrypted.
"""

from __future__ import annotations

import hmac
import os
import pickle
import socket
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import reduce
from multiprocessing.connection import Connection
from operator import add
from queue import SimpleQueue
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_core.extend import Array

RANKS, ADDRESS = ("RANK", "WORLD_SIZE"), ("MASTER_ADDR", "MASTER_PORT")
"""The environment variables by which torchrun describes a job; other launchers set them too."""

MASTER = "DEZERO_MASTER"
"""The environment variable with rank 0's address as ``host:port``, which replaces `ADDRESS`."""

AGENT = "TORCHELASTIC_USE_AGENT_STORE"
"""The environment variable that is True if torchrun itself listens at the address of rank 0."""

SECRET = "DEZERO_SECRET"
"""The environment variable with the secret of the job, the same on all ranks."""

LIMIT = 60.0
"""The time in seconds within which all ranks must connect."""

PAUSE = 0.1
"""The time in seconds between two attempts to connect."""

HELLO = struct.Struct("!II32s")
"""The first message of a process: its rank, the number of ranks, and random bytes."""

DTYPES = ("float16", "float32", "float64", "int64")
"""The names of the dtypes that a communicator sums."""


def announced_ranks() -> int:
    """Return the number of ranks that the environment variables announce, or 0."""
    return 0 if missing_names(os.environ) else int(os.environ["WORLD_SIZE"])


def missing_names(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that describe a job and are not set."""
    names = RANKS if environment.get(MASTER) else (*RANKS, *ADDRESS)
    return [name for name in names if not environment.get(name)]


def connect() -> TcpCommunicator:
    """Connect this rank to the job that the environment variables describe.

    Raises:
        CommunicatorError: a variable is missing, or the ranks do not connect in time.
    """
    return TcpCommunicator(*settings(os.environ))


def settings(environment: Mapping[str, str]) -> tuple[int, int, str, int, bytes]:
    """Return the rank, the number of ranks, the host and port of rank 0, and the secret.

    The port is MASTER_PORT, or the next port if torchrun itself listens at MASTER_PORT.

    Raises:
        CommunicatorError: a variable is missing, or is not a number where a number is needed.
    """
    missing = missing_names(environment)
    missing += [] if environment.get(SECRET) else [SECRET]
    if missing:
        raise CommunicatorError(
            f"engine 'tcp': {', '.join(missing)} not set; torchrun sets "
            f"{', '.join((*RANKS, *ADDRESS))}; set {SECRET} to the same random text for all ranks, "
            "such as the output of `openssl rand -hex 16`"
        )
    if environment.get(MASTER):
        host, _, port = environment[MASTER].rpartition(":")
    else:
        host, port = (environment[name] for name in ADDRESS)
    numbers = {name: environment[name] for name in RANKS} | {"the port": port}
    for name, text in numbers.items():
        if not text.isdecimal():
            raise CommunicatorError(
                f"engine 'tcp': {name} is {text!r}; expected a whole number; set {MASTER} to "
                f"host:port, and {' and '.join(RANKS)} to the rank and the number of ranks"
            )
    rank, size, first = map(int, numbers.values())
    is_taken = not environment.get(MASTER) and environment.get(AGENT) == "True"
    return rank, size, host, first + is_taken, environment[SECRET].encode()


class TcpCommunicator:
    """Send objects and sum NumPy arrays over TCP; see `dezero_core.extend.Communicator`.

    Args:
        rank, size: the number of this rank, and the number of ranks.
        host, port: the address on which rank 0 listens.
        secret: the secret of the job.
        limit: the time in seconds within which all ranks must connect.

    Raises:
        CommunicatorError: the ranks do not connect in time.
    """

    def __init__(
        self, rank: int, size: int, host: str, port: int, secret: bytes, limit: float = LIMIT
    ) -> None:
        self.rank, self.size = rank, size
        self._last_steps: dict[int, int] = {}  # for each rank that has left
        self._all_left = threading.Event()
        self._received: dict[int, SimpleQueue[bytes]] = {k: SimpleQueue() for k in range(size)}
        self._sending = threading.Lock()
        where = f"rank {rank} of {size} at {host}:{port}"
        try:
            connect_others = accept_ranks if rank == 0 else join_rank_0
            self._others = connect_others(rank, size, host, port, secret, time.monotonic() + limit)
        except (OSError, EOFError) as error:
            reason = str(error) or f"rank 0 closed the connection; is its {SECRET} the same?"
            raise CommunicatorError(
                f"engine 'tcp': {where}: not all ranks connected: {reason}; set {MASTER} to "
                "host:port to choose another address"
            ) from error
        for other, connection in self._others.items():
            threading.Thread(target=self._read, args=(other, connection), daemon=True).start()

    def gather(self, value: object) -> list[Any]:
        mine = pickle.dumps(value)
        if self.rank == 0:
            parts = [mine, *[self._received[rank].get() for rank in range(1, self.size)]]
            self._send(b"v" + pickle.dumps(parts))
        else:
            self._send(b"v" + mine)
            parts = pickle.loads(self._received[0].get())
        return [pickle.loads(part) for part in parts]

    def broadcast(self, value: object) -> Any:
        return self.gather(value if self.rank == 0 else None)[0]

    def start(self, array: Array) -> Any:
        if (
            not isinstance(array, np.ndarray)
            or array.dtype.name not in DTYPES
            or not (array.flags.forc and array.flags.writeable)
        ):
            raise ArgumentError(
                f"engine 'tcp': start: got an object of type {type(array).__name__}, dtype "
                f"{getattr(array, 'dtype', None)}; expected a contiguous NumPy array of dtype "
                f"{', '.join(DTYPES)}, to write to; convert or copy the array"
            )
        return array

    def poll(self, request: Any) -> None: ...

    def wait(self, request: Any) -> None:
        with np.errstate(all="ignore"):  # infinity and NaN are results, as they are for MPI
            request[...] = reduce(add, self.gather(request))

    def leave(self, step: int) -> None:
        self._send(b"l" + pickle.dumps((self.rank, step)))
        self._note(self.rank, step)
        self._all_left.wait()

    def departed(self) -> tuple[int, int] | None:
        # a list, because other threads add items
        known = list(self._last_steps.items())
        return next(((rank, step) for rank, step in known if rank != self.rank), None)

    def abort(self) -> None:
        self._send(b"a%d" % self.rank)
        os._exit(1)

    def _send(self, message: bytes) -> None:
        """Send a message to all ranks that this rank is connected to."""
        with self._sending:
            for connection in self._others.values():
                with suppress(OSError):  # the other rank has ended; `_read` notices
                    connection.send_bytes(message)

    def _note(self, rank: int, step: int) -> None:
        self._last_steps[rank] = step
        if len(self._last_steps) == self.size:
            self._all_left.set()

    def _read(self, other: int, connection: Connection) -> None:
        """Receive messages in a thread; end this process when another rank ends early."""
        while True:
            try:
                message = connection.recv_bytes()
            except (EOFError, OSError):
                if self._all_left.is_set():
                    return
                self._end(other, f"lost the connection to rank {other}; ends all ranks")
            if message[:1] == b"v":
                self._received[other].put(message[1:])
            elif message[:1] == b"l":
                if self.rank == 0:
                    self._send(message)  # first, because `_note` may end this process
                self._note(*pickle.loads(message[1:]))
            else:
                culprit = int(message[1:])
                self._end(culprit, f"ends, because rank {culprit} has ended all ranks")

    def _end(self, culprit: int, reason: str) -> None:
        """End this process, and all others if this is rank 0."""
        os.write(2, f"[rank {self.rank} of {self.size}] {reason}\n".encode())
        if self.rank == 0:
            self._send(b"a%d" % culprit)
        os._exit(1)


def accept_ranks(
    rank: int, size: int, host: str, port: int, secret: bytes, deadline: float
) -> dict[int, Connection]:
    """Accept the connections of all other ranks to this process, rank 0; return them by rank."""
    found: SimpleQueue[tuple[int, Connection]] = SimpleQueue()

    def admit(connection: Connection) -> None:
        try:
            found.put((prove(connection, secret, rank, size), connection))
        except (OSError, EOFError):
            connection.close()

    connections: dict[int, Connection] = {}
    with socket.create_server((host, port), backlog=size) as server:
        server.settimeout(PAUSE)
        while len(connections) < size - 1:
            if time.monotonic() > deadline:
                missing = sorted(set(range(1, size)) - set(connections))
                raise TimeoutError(f"ranks {missing} did not connect")
            with suppress(TimeoutError):
                connection = connection_of(server.accept()[0])
                # in a thread, because an unknown process may send nothing
                threading.Thread(target=admit, args=(connection,), daemon=True).start()
            while not found.empty():
                other, connection = found.get()
                if other in connections:
                    raise PermissionError(f"two processes have the rank {other}")
                connections[other] = connection
    return connections


def join_rank_0(
    rank: int, size: int, host: str, port: int, secret: bytes, deadline: float
) -> dict[int, Connection]:
    """Connect this process to rank 0 as soon as rank 0 listens; return the connection."""
    while True:
        try:
            connection = connection_of(socket.create_connection((host, port), timeout=PAUSE))
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
    if not connection.poll(max(deadline - time.monotonic(), 0.0)):
        raise TimeoutError("the process that listens there sends nothing")
    if prove(connection, secret, rank, size) != 0:
        raise PermissionError("the process that listens is not rank 0")
    return {0: connection}


def connection_of(stream: socket.socket) -> Connection:
    """Return a connection that sends each message at once."""
    stream.settimeout(None)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(stream.detach())


def prove(connection: Connection, secret: bytes, rank: int, size: int) -> int:
    """Prove to another process that this process knows the secret; return the other's rank.

    Each process sends its `HELLO`. Then each sends the HMAC (RFC 2104) of both messages, its own
    first, with the secret as the key, and checks the HMAC of the other process.

    Raises:
        PermissionError: the other process does not know the secret, or describes another job.
    """
    mine = HELLO.pack(rank, size, os.urandom(32))
    connection.send_bytes(mine)
    theirs = connection.recv_bytes(HELLO.size)
    connection.send_bytes(hmac.digest(secret, mine + theirs, "sha256"))
    digest = connection.recv_bytes(32)
    expected = hmac.digest(secret, theirs + mine, "sha256")
    other, size_there, _ = HELLO.unpack(theirs)
    is_valid = other != rank and other < size == size_there
    if not is_valid or not hmac.compare_digest(digest, expected):
        raise PermissionError(f"another process has a different {SECRET} or number of ranks")
    return int(other)
