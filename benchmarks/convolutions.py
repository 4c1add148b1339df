"""Time single convolutions of many shapes: the output and both gradients, one side per process.

``python benchmarks/convolutions.py [--seed SEED] --from NUMBER SIDE`` prints the seconds
of each shape on a line, starting at shape NUMBER. Without a seed the shapes are those of `GRID`;
with a seed they are drawn at random.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Shape(NamedTuple):
    """The shape of a convolution: N images of C channels and OC filters of K x K."""

    N: int
    C: int
    H: int
    W: int
    OC: int
    K: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    groups: int = 1


GRID = [
    Shape(64, 1, 28, 28, 32, 3),
    Shape(64, 32, 26, 26, 64, 3),
    Shape(64, 1, 28, 28, 20, 5),
    Shape(32, 3, 32, 32, 64, 3, 1, 1),
    Shape(8, 3, 224, 224, 64, 7, 2, 3),
    Shape(2, 3, 224, 224, 64, 3, 1, 1),
    Shape(2, 64, 112, 112, 64, 3, 1, 1),
    Shape(1, 64, 224, 224, 64, 3, 1, 1),
    Shape(16, 64, 56, 56, 64, 3, 1, 1),
    Shape(1, 64, 56, 56, 64, 3, 1, 1),
    Shape(8, 128, 28, 28, 128, 3, 1, 1),
    Shape(1, 128, 28, 28, 128, 3, 1, 1),
    Shape(8, 48, 37, 41, 80, 3),
    Shape(16, 256, 14, 14, 256, 3, 1, 1),
    Shape(1, 256, 14, 14, 256, 3, 1, 1),
    Shape(64, 128, 7, 7, 128, 3, 1, 1),
    Shape(16, 512, 7, 7, 512, 3, 1, 1),
    Shape(2, 512, 14, 14, 512, 3, 1, 1),
    Shape(32, 64, 13, 13, 96, 3, 1, 1),
    Shape(64, 64, 5, 5, 64, 3, 1, 1),
    Shape(64, 16, 28, 28, 32, 3, 1, 1),
    Shape(64, 32, 28, 28, 32, 3, 1, 1),
    Shape(32, 8, 32, 32, 8, 3, 1, 1),
    Shape(16, 64, 56, 56, 128, 3, 2, 1),
    Shape(16, 128, 28, 28, 256, 3, 2, 1),
    Shape(16, 64, 56, 56, 128, 1),
    Shape(16, 256, 14, 14, 512, 1),
    Shape(16, 256, 28, 28, 128, 1, 2),
    Shape(1, 512, 7, 7, 512, 1),
    Shape(64, 16, 32, 32, 16, 1),
    Shape(32, 32, 28, 28, 64, 5),
    Shape(16, 64, 14, 14, 64, 5, 1, 2),
    Shape(16, 16, 32, 32, 32, 5, 2, 2),
    Shape(8, 32, 31, 31, 32, 7, 1, 3),
    Shape(4, 64, 28, 28, 64, 7, 2, 3),
    Shape(16, 128, 28, 28, 128, 3, 1, 1, 1, 128),
    Shape(16, 64, 56, 56, 64, 3, 2, 1, 1, 64),
    Shape(16, 64, 28, 28, 64, 5, 1, 2, 1, 64),
    Shape(16, 64, 28, 28, 64, 3, 1, 1, 1, 4),
    Shape(8, 128, 28, 28, 128, 3, 1, 1, 1, 32),
    Shape(8, 64, 33, 33, 64, 3, 1, 2, 2),
    Shape(4, 128, 17, 19, 128, 3, 1, 4, 4),
]


def drawn(seed: int, count: int = 40) -> list[Shape]:
    """Draw shapes from the same range as those of `GRID`."""
    draw = np.random.default_rng(seed)
    found: list[Shape] = []
    while len(found) < count:
        K, stride = int(draw.choice([1, 3, 3, 3, 5, 7])), int(draw.choice([1, 1, 2]))
        H, W = (int(n) for n in np.exp(draw.uniform(np.log(5), np.log(225), 2)))
        W = min(max(W, H // 2), 2 * H)
        C, OC = (int(n) for n in np.exp(draw.uniform(0, np.log(513), 2)))
        N, groups = int(np.exp(draw.uniform(0, np.log(65)))), 1
        dilation = int(draw.choice([1, 1, 1, 1, 2])) if K == 3 else 1
        groups_type = draw.choice(["dense", "dense", "dense", "dense", "depthwise", "grouped"])
        if groups_type == "depthwise" and K > 1:
            groups, OC = C, C
        elif groups_type == "grouped":
            groups = 4
            C, OC = 4 * -(-C // 4), 4 * -(-OC // 4)
        pad = int(draw.choice([0, K // 2 * dilation]))
        reach = dilation * (K - 1) + 1
        if min(H, W) + 2 * pad < reach:
            continue
        OH, OW = ((n + 2 * pad - reach) // stride + 1 for n in (H, W))
        work = N * OC * OH * OW * C // groups * K * K
        if 1e6 < work < 3e9 and N * C * H * W < 2e7 and N * OC * OH * OW < 2e7:
            found.append(Shape(N, C, H, W, OC, K, stride, pad, dilation, groups))
    return found


def arrays(shape: Shape) -> tuple[Any, Any, Any]:
    """Return images, filters and a bias, drawn from the standard normal distribution."""
    draw = np.random.default_rng(0)
    x = draw.standard_normal((shape.N, shape.C, shape.H, shape.W), np.float32)
    fan = shape.C // shape.groups * shape.K**2
    W = draw.standard_normal((shape.OC, fan // shape.K**2, shape.K, shape.K), np.float32)
    return x, W / np.float32(fan**0.5), draw.standard_normal(shape.OC, np.float32)


def dezero_convolution(shape: Shape) -> Callable[[], None]:
    from dezero_core import Parameter
    from dezero_nn import conv2d

    x, W, b = (Parameter(array) for array in arrays(shape))
    settings = shape.stride, shape.pad, shape.dilation, shape.groups
    y = conv2d(x, W, b, *settings)
    gy = np.ones_like(y.data)

    def run() -> None:
        y = conv2d(x, W, b, *settings)
        y.grad = gy
        y.backward()
        for p in (x, W, b):
            p.cleargrad()

    return run


def torch_convolution(shape: Shape, channels_last: bool = False) -> Callable[[], None]:
    import torch

    x, W, b = (torch.from_numpy(array) for array in arrays(shape))
    if channels_last:
        x, W = (a.to(memory_format=torch.channels_last) for a in (x, W))
    x, W, b = (a.requires_grad_() for a in (x, W, b))
    settings = shape.stride, shape.pad, shape.dilation, shape.groups
    gy = torch.ones_like(torch.nn.functional.conv2d(x, W, b, *settings))

    def run() -> None:
        torch.nn.functional.conv2d(x, W, b, *settings).backward(gy)
        x.grad = W.grad = b.grad = None

    return run


SIDES: dict[str, Callable[[Shape], Callable[[], None]]] = {
    "dezero": dezero_convolution,
    "torch": torch_convolution,
    "torch channels last": lambda shape: torch_convolution(shape, channels_last=True),
}


def seconds(run: Callable[[], None], budget: float = 0.35) -> float:
    """Return the median time of as many runs as fit into the budget, but at least three."""
    run()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < budget and len(times) < 50):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    *seeded, _, first, side = sys.argv[1:]
    for shape in (drawn(int(seeded[1])) if seeded else GRID)[int(first) :]:
        print(seconds(SIDES[side](shape)), flush=True)
