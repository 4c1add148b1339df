"""Estimate the time of a data parallel training step from a few measured numbers.

A step is the forward pass, the backward pass, the all-reduces of all buckets, and the update; with
overlap, all-reduces run during the backward pass. An all-reduce over a ring of p ranks sends
2 (p - 1) messages, and 2 (p - 1) / p of the array's bytes over each link (Patarasu and Yuan, 2009).
Every rank waits for the slowest rank: if the time of one rank has the relative standard deviation
sigma, then the largest of p times exceeds the mean by about sigma sqrt(2 ln p).

All times are in seconds. ``python benchmarks/parallel.py --predict`` prints the table, and
``--check`` compares the estimates with measured steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

SIGMA = 0.03
"""Relative standard deviation of one rank's time; assumed, not measured on a cluster."""


@dataclass(frozen=True)
class Link:
    """Describe the connection between two ranks.

    Attributes:
        name: the name in tables.
        latency: seconds that a message without data takes.
        bandwidth: bytes per second.
        origin: ``"measured"`` or ``"assumed"``.
    """

    name: str
    latency: float
    bandwidth: float
    origin: str


@dataclass(frozen=True)
class Bucket:
    """Describe gradients that are summed by one all-reduce.

    Attributes:
        ready: seconds from the start of the backward pass until the last of these gradients.
        size: bytes.
    """

    ready: float
    size: int


@dataclass(frozen=True)
class Step:
    """Describe a training step of one process on its share of the batch.

    Attributes:
        name: the name in tables.
        forward: seconds of the forward pass and the loss.
        backward: seconds of the backward pass.
        update: seconds of the optimizer.
        buckets: the gradients, in the order in which they are sent.
    """

    name: str
    forward: float
    backward: float
    update: float
    buckets: tuple[Bucket, ...]

    @property
    def alone(self) -> float:
        """Return the seconds of the step without communication."""
        return self.forward + self.backward + self.update

    def slowed(self, factor: float) -> Step:
        """Return the step with ``factor`` times the computing time."""
        buckets = tuple(replace(bucket, ready=bucket.ready * factor) for bucket in self.buckets)
        times = self.forward * factor, self.backward * factor, self.update * factor
        return Step(self.name, *times, buckets)


def ring(size: int, ranks: int, link: Link) -> float:
    """Return the seconds of an all-reduce of ``size`` bytes over a ring of ``ranks`` ranks."""
    traffic = 2 * (ranks - 1) / ranks * size
    return 2 * (ranks - 1) * link.latency + traffic / link.bandwidth


def slowest_over_mean(ranks: int, sigma: float = SIGMA) -> float:
    """Return the expected time of the slowest of ``ranks`` ranks, relative to the mean time."""
    return 1 + sigma * math.sqrt(2 * math.log(ranks))


def step_time(
    step: Step, link: Link, ranks: int, overlap: bool = False, sigma: float = SIGMA
) -> float:
    """Estimate the seconds of one step with ``ranks`` ranks.

    Args:
        step: the step of one process on its share of the batch.
        link: the connection between the ranks.
        ranks: number of ranks; with one rank there is no communication.
        overlap: whether an all-reduce runs while the backward pass computes. NCCL does this. MPI on
            processors works only inside its own calls, so the default is False.
        sigma: relative standard deviation of one rank's time (default 0.03).
    """
    if ranks == 1:
        return step.alone
    slowest = step.slowed(slowest_over_mean(ranks, sigma))
    end = 0.0 if overlap else slowest.backward
    for bucket in slowest.buckets:
        end = max(end, bucket.ready) + ring(bucket.size, ranks, link)
    return slowest.forward + max(slowest.backward, end) + slowest.update


def efficiency(step: Step, link: Link, ranks: int, overlap: bool = False) -> float:
    """Return a rank's computing time divided by the time of a step (weak scaling).

    Each rank has as many rows as the one process of ``step``.
    """
    return step.alone / step_time(step, link, ranks, overlap)


def fitted_link(name: str, ranks: int, times: Iterable[tuple[int, float]]) -> Link:
    """Fit latency and bandwidth of a ring to measured all-reduces by least squares.

    The errors are relative to the measured times, so that small and large arrays count alike.

    Args:
        name: the name of the link.
        ranks: number of ranks of the measurement.
        times: pairs of an array's size in bytes and the seconds of its all-reduce; at least two
            sizes.
    """
    messages, share = 2 * (ranks - 1), 2 * (ranks - 1) / ranks
    rows = [(messages / seconds, share * size / seconds) for size, seconds in times]
    aa, ab, bb = (
        sum(a * a for a, _ in rows), sum(a * b for a, b in rows), sum(b * b for _, b in rows),
    )  # fmt: skip
    a, b = sum(a for a, _ in rows), sum(b for _, b in rows)
    determinant = aa * bb - ab * ab
    latency = max((a * bb - b * ab) / determinant, 0.0)
    per_byte = (b * aa - a * ab) / determinant
    return Link(name, latency, 1 / per_byte, "measured")


LINKS = (
    Link("1 GbE", 25e-6, 123e6, "measured"),
    Link("10 GbE", 30e-6, 1.1e9, "assumed"),
    Link("InfiniBand", 3e-6, 11e9, "assumed"),
)
"""Links of the table; 1 GbE was measured on an emulated link between two network namespaces."""

STEPS = (
    Step("MLP, batch 100, CPU", 0.8e-3, 1.6e-3, 0.7e-3, (Bucket(1.6e-3, 3_180_000),)),
    Step(
        "CNN, batch 64, CPU", 20e-3, 39e-3, 1e-3, (Bucket(5e-3, 4_720_000), Bucket(39e-3, 80_000))
    ),
    Step(
        "ResNet-50, batch 32, GPU",
        6.4e-3,
        12.8e-3,
        1.2e-3,
        tuple(Bucket(12.8e-3 * part / 4, 25_600_000) for part in (1, 2, 3, 4)),
    ),
)
"""Steps of the table. Those on a CPU were measured with one thread of a two-core machine. The step
on a GPU takes as long as PyTorch's in docs/gpu.md; its parts and its four buckets are assumed."""

RANKS = (2, 8, 16, 64)
"""The numbers of ranks in the table."""


def table() -> list[str]:
    """Return the lines of a Markdown table: efficiency without and with overlap."""
    heads = [f"{ranks} ranks" for ranks in RANKS]
    lines = [f"| network | link | {' | '.join(heads)} |", "|---" * (2 + len(RANKS)) + "|"]
    for step in STEPS:
        for link in LINKS:
            cells = [
                f"{efficiency(step, link, ranks):.0%} / {efficiency(step, link, ranks, True):.0%}"
                for ranks in RANKS
            ]
            lines.append(f"| {step.name} | {link.name} ({link.origin}) | {' | '.join(cells)} |")
    return lines
