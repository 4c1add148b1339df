"""Train on several ranks; after step 10 rank 1 fails in the way that the command line names."""

import ctypes
import os
import signal
import sys
import threading
import time

import numpy as np

from dezero_io import DataLoader
from dezero_nn import MLP, SGD, softmax_cross_entropy
from dezero_parallel import world

STEPS, CULPRIT = 20, 1


class Planned(Exception):
    """The error that this program raises on purpose."""


def say(text: str) -> None:
    """Write a line to standard output in one piece, because other ranks write lines too."""
    os.write(1, f"{text}\n".encode())


def raise_in_thread() -> None:
    thread = threading.Thread(target=WAYS["raise"])
    thread.start()
    time.sleep(60)


def raise_error() -> None:
    raise Planned("on purpose")


WAYS = {
    "raise": raise_error,
    "raise in a thread": raise_in_thread,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: sys.exit(3),
    "exit at once": lambda: os._exit(3),
    "vanish": lambda: os._exit(0),
    "sleep": lambda: time.sleep(60),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "go on": lambda: None,
    "leave early": lambda: None,
}


def main(way: str) -> None:
    ranks = world()
    model = MLP((5, 2))
    optimizer = ranks.parallel(SGD().setup(model))
    draw = np.random.default_rng(0)
    data = [(draw.random(4, dtype="float32"), i % 2) for i in range(12)]
    batches = ranks.share(DataLoader(data, 12))  # one step a pass
    for step in range(STEPS if way != "go on" else 10**9):
        if step == 10 and ranks.rank == CULPRIT and way in WAYS:
            say(f"fails at {time.time()}")
            WAYS[way]()
            if way == "leave early":
                return
        for x, t in batches:
            loss = softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
    if way == "sleep at the end" and ranks.rank == CULPRIT:
        say(f"fails at {time.time()}")
        time.sleep(60)
    say(f"rank {ranks.rank} done")


if __name__ == "__main__":
    main(sys.argv[1])
