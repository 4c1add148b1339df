"""Define the rows of the report of ``gpu.py``: the sides to time, and the limits of the ratios."""

from __future__ import annotations

from typing import NamedTuple

EAGER, CAPTURED = "dezero", "dezero captured"
TORCH = ("torch", "torch channels last")
GRAPHS = ("torch graph", "torch graph channels last")
CHANNELS_LAST = ("cnn64", "cnn1024", "six convolutions", "vgg16", "resnet50")
"""Workloads for which PyTorch also runs in its channels-last memory format."""


class Target(NamedTuple):
    """Describe a row of the report: DeZero's time divided by another side's, and its limits.

    Attributes:
        workload: a workload of ``gpu_rows.py``.
        precision: the precision of both sides.
        ours: DeZero's side.
        theirs: the other sides. The ratio uses the fastest of these.
        must, aim: the ratio that is required, and the ratio to aim for.
        quick: whether ``--quick`` runs the row.
    """

    workload: str
    precision: str
    ours: str
    theirs: tuple[str, ...]
    must: float
    aim: float
    quick: bool = False


TARGETS = [
    Target("mlp", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("cnn64", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("mlp", "tf32", CAPTURED, TORCH, 1 / 10, 1 / 13, True),
    Target("mlp", "tf32", EAGER, TORCH, 1.0, 0.8, True),
    Target("mnist", "float32", CAPTURED, ("dezero cpu",), 1 / 10, 1 / 20, True),
    Target("mnist", "float32", EAGER, ("dezero cpu",), 1 / 3, 1 / 5, True),
    Target("gpt 128", "tf32", CAPTURED, GRAPHS, 1.2, 1.0, True),
    Target("cnn1024", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("six convolutions", "tf32", CAPTURED, GRAPHS, 1.0, 0.9, True),
    Target("lstm", "tf32", CAPTURED, TORCH, 1.0, 0.6, True),
    Target("cnn64", "tf32", CAPTURED, TORCH, 1 / 5, 1 / 6, True),
    Target("cnn64", "tf32", EAGER, TORCH, 1.2, 1.0, True),
    Target("cnn1024", "tf32", EAGER, TORCH, 0.9, 0.75, True),
    Target("resnet50", "tf32", CAPTURED, GRAPHS, 1.05, 0.9),
    Target("vgg16", "tf32", CAPTURED, GRAPHS, 1.05, 0.9),
    Target("gpt 768", "tf32", CAPTURED, GRAPHS, 1.1, 1.0),
    Target("mlp", "float32", CAPTURED, GRAPHS, 1.0, 0.9),
    Target("cnn64", "float32", CAPTURED, GRAPHS, 1.0, 0.9),
    Target("gpt 256", "tf32", CAPTURED, GRAPHS, 1.2, 1.0),
    Target("resnet50", "bf16", CAPTURED, GRAPHS, 1.2, 1.0),
    Target("vgg16", "bf16", CAPTURED, GRAPHS, 1.2, 1.0),
    Target("vgg16", "tf32", EAGER, TORCH, 1.0, 0.9),
    Target("resnet50", "tf32", EAGER, TORCH, 1.3, 1.0),
]
"""The rows, the most valuable first: a machine may be lent for a few minutes only."""

MEMORY_MUST, MEMORY_AIM = 1.2, 1.0
"""The limits of the ratio of memory in use: DeZero's divided by that of the fastest other side."""

FIRST_CALL_MUST, FIRST_CALL_AIM = 2.0, 1.0
"""The limits, in seconds, of the time of the first four calls; the last of them replays a graph."""


def sides_of(target: Target) -> list[str]:
    """Return the sides that a row runs."""
    theirs = [
        side
        for side in target.theirs
        if not side.endswith("channels last") or target.workload in CHANNELS_LAST
    ]
    return [target.ours, *theirs]
