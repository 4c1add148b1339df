"""Define `Watcher`, which ends all ranks if one fails, hangs or ends too early."""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
import threading
import time
import traceback
from types import TracebackType

from .collectives import Collectives
from .supervisor import LEFT, RANK, RECORD, REPORTED, RUNNING, SIZE, STATE, STEP, write

END = "the end of the program"
"""The place at which a rank that has finished waits for the other ranks."""

GRACE = 2.0
"""Seconds that a waiting rank adds to the limit, so that a busy rank can show its stack first.

A rank that waits for a rank that has left does not wait for the limit: it ends all ranks after this
time.
"""

INTERVAL = 0.5
"""The longest time between two checks by the watcher, in seconds."""


class Watcher:
    """Watch this rank from a separate thread, and end all ranks if one would wait forever.

    An uncaught exception in any thread ends all ranks. If another rank has finished its program, or
    has not come within ``timeout`` seconds, a waiting rank ends all ranks. A rank that computes for
    longer than ``timeout`` seconds shows its Python stack, because others may wait for it.

    Args:
        collectives: the record of where this rank waits.
        timeout: the limit in seconds.
    """

    def __init__(self, collectives: Collectives, timeout: float) -> None:
        self.collectives, self.timeout = collectives, timeout
        self._reported, self._has_left = 0.0, False
        self._previous_hook = sys.excepthook

    def count_step(self, steps: int) -> None:
        """Record the number of finished updates, for messages."""
        self.collectives.step = max(self.collectives.step, steps)
        RECORD[STEP] = self.collectives.step

    def start(self) -> None:
        """Start the thread, and register the functions for errors and for the end."""
        RECORD[RANK], RECORD[SIZE], RECORD[STATE] = (
            self.collectives.rank,
            self.collectives.size,
            RUNNING,
        )
        faulthandler.enable()  # a segmentation fault prints the Python stack
        sys.excepthook = self.fail
        threading.excepthook = lambda args: self.fail(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )
        threading.Thread(target=self._watch, name="dezero-watcher", daemon=True).start()
        atexit.register(self.leave)

    def leave(self) -> None:
        """Tell the other ranks that this rank has finished, and wait for them."""
        if not self.collectives.is_forked():
            self._has_left = True
            with self.collectives.waiting_at(END):
                self.collectives.communicator.leave(self.collectives.step)
            RECORD[STATE] = LEFT

    def write(self, text: str) -> None:
        """Write a text to standard error in one piece, because the ranks share the terminal."""
        write(f"[{self.collectives}] {text}\n")

    def fail(
        self,
        error_type: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        """Show an uncaught exception, and end all ranks; in a forked process, only show it."""
        if self.collectives.is_forked():
            self._previous_hook(error_type, error, trace)
        elif not issubclass(error_type, SystemExit):
            shown = traceback.TracebackException(error_type, error, trace)
            shown.stack = program_frames(shown.stack)
            self.end_all("failed, and ends all ranks:\n" + "".join(shown.format()).rstrip())

    def end_all(self, reason: str) -> None:
        """Show a reason, and end the processes of all ranks."""
        self.write(reason)
        RECORD[STATE] = REPORTED
        self.collectives.communicator.abort()

    def _watch(self) -> None:
        while True:
            time.sleep(min(INTERVAL, self.timeout / 10))
            self.check_ranks()

    def check_ranks(self) -> None:
        """Report a rank that is late, and end all ranks if one would wait forever."""
        place, since = self.collectives.place, self.collectives.since
        waited = time.monotonic() - since
        # the engine of NCCL raises an error here if a kernel does not finish
        gone = None if self._has_left else self.collectives.communicator.departed()
        if place:
            if gone is not None and waited > GRACE:
                self.end_all(
                    f"waited {waited:.0f} s at: {place}; rank {gone[0]} has finished its program "
                    f"after its step {gone[1]}; expected as many steps on all ranks, as "
                    "world.share(loader) gives; ends all ranks"
                )
            elif waited > self.timeout + GRACE:
                self.end_all(
                    f"waited {waited:.0f} s at: {place}; another rank has not come within "
                    f"{self.timeout:.0f} s; see what each rank says above; raise the limit by "
                    "world(timeout=...) if the work takes that long; ends all ranks"
                )
        if waited > self.timeout and self._reported != since:
            self._reported = since
            self.write(
                f"waits for {waited:.0f} s at: {place}" if place else self._describe_work(waited)
            )

    def _describe_work(self, waited: float) -> str:
        """Describe what the main thread computes."""
        frame = sys._current_frames()[threading.main_thread().ident or 0]
        stack = "".join(program_frames(traceback.extract_stack(frame)).format())
        return f"has not called the other ranks for {waited:.0f} s; it is here:\n{stack.rstrip()}"


def program_frames(stack: traceback.StackSummary) -> traceback.StackSummary:
    """Return the frames of the program, without those of ``python -m dezero_parallel``."""
    folder = os.path.dirname(__file__)
    starters = {os.path.join(folder, name) for name in ("__main__.py", "supervisor.py")}
    frames = [x for x in stack if x.filename not in {*starters, "<frozen runpy>"}]
    return traceback.StackSummary.from_list(frames)
