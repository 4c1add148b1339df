"""Define the rows of pooling by PyTorch's names, of adaptive pooling, interpolation and shuffling.

The references look up the elements of one window, or the weights of one element, at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dezero_core.backends.host import HostArray
from dezero_core.functions import sum
from dezero_nn import functions as F

from ...op_case import OpCase, Shapes

SIZES: dict[int, tuple[Shapes, ...]] = {
    1: (((1, 2, 4),), ((0, 1, 3),)),
    2: (((1, 1, 2, 4),), ((2, 0, 2, 3),), ((1, 2, 2),)),
    3: (((1, 1, 2, 2, 4),), ((1, 0, 2, 2, 2),)),
}
"""Shapes of signals, images and volumes."""


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*poolings(), *adaptive_poolings(), *interpolations(), *shuffles(), *sampling()]


def poolings() -> list[OpCase]:
    """Return the rows of max, average and power-average pooling."""
    found = [row for n in (1, 2, 3) for row in (_max_pool(n), _avg_pool(n))]
    edges: dict[str, Any] = {"stride": 2, "padding": 1, "ceil_mode": True}
    return [
        *found,
        _max_pool(1, "settings", (((2, 2, 4),),), dilation=2, **edges),
        _max_pool(3, "settings", (((1, 1, 3, 2, 2),),), dilation=2, **edges),
        _avg_pool(1, "settings", (((2, 2, 4),),), **edges),
        _avg_pool(2, "settings", (((1, 1, 2, 3),),), count_include_pad=False, **edges),
        _avg_pool(3, "settings", (((1, 1, 2, 2, 2),),), divisor_override=5),
        OpCase(
            "lp_pool1d",
            lambda x: F.lp_pool1d(x, 3, 2),
            lambda x: np.cbrt(_pool(x**3, 1, np.sum)),
            SIZES[1],
            low=0.5,
        ),
        OpCase(
            "lp_pool2d",
            lambda x: F.lp_pool2d(x, 2, 2),
            lambda x: np.sqrt(_pool(x**2, 2, np.sum)),
            SIZES[2],
        ),
    ]


def _max_pool(
    n: int, variant: str = "", shapes: tuple[Shapes, ...] = (), **settings: Any
) -> OpCase:
    """Return a row of max pooling; the sum of x is added, so that no gradient is zero."""
    op = getattr(F, f"max_pool{n}d")
    return OpCase(
        f"max_pool{n}d {variant}".strip(),
        lambda x: op(x, 2, **settings) + sum(x),
        lambda x: _pool(x, n, np.max, **settings) + x.sum(),
        shapes or SIZES[n],
    )


def _avg_pool(
    n: int, variant: str = "", shapes: tuple[Shapes, ...] = (), **settings: Any
) -> OpCase:
    """Return a row of average pooling."""
    op = getattr(F, f"avg_pool{n}d")
    return OpCase(
        f"avg_pool{n}d {variant}".strip(),
        lambda x: op(x, 2, **settings),
        lambda x: _pool(x, n, np.mean, **settings),
        shapes or SIZES[n],
    )


def _pool(
    x: HostArray, n: int, reduce: Callable[..., Any], stride: int = 2, padding: int = 0,
    dilation: int = 1, ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """Reduce windows of two elements along each of the last ``n`` axes."""
    axes = []
    for size in x.shape[x.ndim - n :]:
        starts = range(-padding, size if ceil_mode else size + padding - dilation, stride)
        axes.append([(size, start, start + dilation) for start in starts])
    y = np.empty((*x.shape[: x.ndim - n], *map(len, axes)), x.dtype)
    for i in np.ndindex(*map(len, axes)):
        windows = [axis[k] for axis, k in zip(axes, i, strict=True)]
        inside = [[p for p in ends if 0 <= p < size] for size, *ends in windows]
        found, over = x[(..., *np.ix_(*inside))], tuple(range(x.ndim - n, x.ndim))
        margin = padding if count_include_pad else 0
        counts = [_count(ends, size, margin) for size, *ends in windows]
        value = found.sum(over) / (divisor_override or math.prod(counts))
        y[(..., *i)] = value if reduce is np.mean else reduce(found, over)
    return y


def _count(positions: list[int], size: int, pad: int) -> int:
    """Return how many positions are on an axis of ``size`` elements, or in its padding."""
    return len([p for p in positions if -pad <= p < size + pad])


def adaptive_poolings() -> list[OpCase]:
    """Return the rows of adaptive pooling."""
    found = []
    for n, m in ((1, 3), (2, (2, 3)), (3, (None, 1, 3))):
        op = getattr(F, f"adaptive_avg_pool{n}d")
        found.append(
            OpCase(
                f"adaptive_avg_pool{n}d",
                lambda x, op=op, m=m: op(x, m),
                lambda x, n=n, m=m: _adaptive(x, n, m, np.mean),
                ADAPTED[n],
            )
        )
    for n, m in ((1, 3), (2, (2, 3))):
        op = getattr(F, f"adaptive_max_pool{n}d")
        found.append(
            OpCase(
                f"adaptive_max_pool{n}d",
                lambda x, op=op, m=m: op(x, m) + sum(x),
                lambda x, n=n, m=m: _adaptive(x, n, m, np.max) + x.sum(),
                ADAPTED[n],
            )
        )
    found.append(
        OpCase(
            "adaptive_avg_pool2d global",
            lambda x: F.adaptive_avg_pool2d(x, 1),
            lambda x: x.mean((-2, -1), keepdims=True),
            SIZES[2],
        )
    )
    return found


ADAPTED: dict[int, tuple[Shapes, ...]] = {
    1: (((1, 2, 4),), ((0, 1, 2),)),
    2: (((1, 1, 3, 4),), ((1, 4, 1),)),
    3: (((1, 1, 2, 2, 4),), ((1, 0, 1, 2, 2),)),
}
"""Shapes of inputs that are longer and shorter than the outputs of adaptive pooling."""


def _adaptive(x: HostArray, n: int, sizes: Any, reduce: Callable[..., Any]) -> Any:
    """Reduce the intervals of one axis after the other."""
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    for axis, m in enumerate(sizes, x.ndim - n):
        length = x.shape[axis]
        bounds = [(i * length // m, -(-(i + 1) * length // m)) for i in range(m or 0)]
        parts = [reduce(x.take(range(*pair), axis), axis) for pair in bounds]
        x = x if m is None else np.stack(parts, axis)
    return x


def interpolations() -> list[OpCase]:
    """Return the rows of the modes of interpolation."""

    def row(mode: str, shapes: tuple[Shapes, ...], **settings: Any) -> OpCase:
        variant = "".join(f" {name}" for name in settings)
        return OpCase(
            f"interpolate {mode}{variant}",
            lambda x: F.interpolate(x, mode=mode, **settings) + sum(x),
            lambda x: _resized(x, mode, **settings) + x.sum(),
            shapes,
        )

    signals, images = (((1, 2, 3),), ((0, 1, 1),)), (((1, 1, 2, 3),), ((1, 2, 1, 1),))
    return [
        row("nearest", images, scale_factor=2),
        row("nearest", signals, size=5),
        row("nearest-exact", images, size=(3, 2)),
        row("area", signals, size=2),
        row("linear", signals, scale_factor=1.5),
        row("bilinear", images, size=(3, 5)),
        row("bilinear", images[:1], size=(3, 5), align_corners=True),
        row("trilinear", (((1, 1, 2, 1, 3),),), size=(1, 2, 2)),
        row("bicubic", images[:1], size=(3, 4)),
        row("bicubic", images[1:], scale_factor=(2, 2.5), align_corners=True),
    ]


def _resized(
    x: HostArray, mode: str, size: Any = None, scale_factor: Any = None, align_corners: bool = False
) -> Any:
    """Add the weighted neighbours of each position, one axis after the other."""
    n = x.ndim - 2
    given = size if scale_factor is None else scale_factor
    for axis, value in enumerate(given if isinstance(given, tuple) else (given,) * n, 2):
        length = x.shape[axis]
        m = value if scale_factor is None else math.floor(length * value)
        step = length / m if scale_factor is None else 1 / value
        parts = []
        for i in range(m):
            at = i * (length - 1) / max(m - 1, 1) if align_corners else (i + 0.5) * step - 0.5
            weights = _weights(mode, at, i * step, length, m, i)
            parts.append(np.tensordot(x, np.array(weights, x.dtype), (axis, 0)))
        x = np.stack(parts, axis)
    return x


def _weights(mode: str, at: float, start: float, length: int, m: int, i: int) -> list[float]:
    """Return the weight of each element for the output at the position ``at``."""
    weights = [0.0] * length

    def add(position: int, weight: float) -> None:
        weights[min(max(position, 0), length - 1)] += weight

    below = math.floor(at)
    if mode == "nearest":
        add(math.floor(start + 1e-9), 1.0)
    elif mode == "nearest-exact":
        add(math.floor(at + 0.5 + 1e-9), 1.0)
    elif mode == "area":
        chosen = range(i * length // m, -(-(i + 1) * length // m))
        for position in chosen:
            add(position, 1 / len(chosen))
    elif mode == "bicubic":
        for position in range(below - 1, below + 3):
            add(position, _cubic(abs(at - position)))
    else:
        add(below, 1 - (at - below))
        add(below + 1, at - below)
    return weights


def _cubic(d: float) -> float:
    """Return the cubic convolution kernel with a = -0.75 at the distance ``d``."""
    if d <= 1:
        return 1.25 * d**3 - 2.25 * d**2 + 1
    return -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)


def shuffles() -> list[OpCase]:
    """Return the rows of pixel shuffling."""
    return [
        OpCase(
            "pixel_shuffle",
            lambda x: F.pixel_shuffle(x, 2),
            lambda x: np.stack([np.stack([x[:, ::4], x[:, 1::4]], -1), np.stack(
                [x[:, 2::4], x[:, 3::4]], -1)], 3).reshape(
                len(x), x.shape[1] // 4, 2 * x.shape[2], 2 * x.shape[3]),
            (((1, 8, 1, 2),), ((0, 4, 1, 1),)),
        ),
        OpCase(
            "pixel_unshuffle",
            lambda x: F.pixel_unshuffle(x, 2),
            lambda x: np.concatenate([x[..., c : c + 1, i::2, j::2] for c in range(x.shape[-3])
                                      for i in (0, 1) for j in (0, 1)], -3),
            (((1, 2, 2, 4),), ((1, 2, 2),)),
        ),
    ]  # fmt: skip


def sampling() -> list[OpCase]:
    """Return the rows of sampling at computed positions."""
    found = [
        OpCase(
            f"affine_grid{' align_corners' * align}",
            lambda theta, align=align: F.affine_grid(theta, (theta.shape[0], 1, 2, 3), align),
            lambda theta, align=align: _grid(theta, align),
            (((2, 2, 3),), ((0, 2, 3),)),
        )
        for align in (False, True)
    ]
    for mode, padding in (("bilinear", "zeros"), ("bilinear", "border"), ("nearest", "reflection")):
        settings: dict[str, Any] = {"mode": mode, "padding_mode": padding}
        found.append(
            OpCase(
                f"grid_sample {mode} {padding}",
                lambda x, grid, k=settings: F.grid_sample(x, grid, **k) + sum(x) + sum(grid),
                lambda x, grid, k=settings: _sampled(x, grid, **k) + x.sum() + grid.sum(),
                (((1, 1, 2, 3), (1, 1, 2, 2)), ((0, 1, 2, 2), (0, 1, 1, 2))),
            )
        )
    return found


def _grid(theta: HostArray, align_corners: bool) -> Any:
    """Multiply each position of an image of two rows and three columns by the matrices."""
    down, across = ((-1, 1), (-1, 0, 1)) if align_corners else ((-0.5, 0.5), (-2 / 3, 0, 2 / 3))
    rows = [np.stack([theta @ np.array([x, y, 1]) for x in across], 1) for y in down]
    return np.stack(rows, 1).astype(theta.dtype)


def _sampled(x: HostArray, grid: HostArray, mode: str, padding_mode: str) -> Any:
    """Add all elements of an image, weighted by their distances from one position."""
    (N, C, H, W), (_, OH, OW, _) = x.shape, grid.shape
    y = np.zeros((N, C, OH, OW), x.dtype)
    for n, i, j in np.ndindex(N, OH, OW):
        across, down = ((grid[n, i, j] + 1) * (W, H) - 1) / 2
        if padding_mode == "border":
            across, down = np.clip(across, 0, W - 1), np.clip(down, 0, H - 1)
        elif padding_mode == "reflection":
            across, down = _reflected(across, W), _reflected(down, H)
        if mode == "nearest":
            across, down = np.round(across), np.round(down)
        weights = [np.maximum(0, 1 - np.abs(np.arange(m) - p)) for m, p in ((H, down), (W, across))]
        y[n, :, i, j] = x[n] @ weights[1] @ weights[0]
    return y


def _reflected(p: float, n: int) -> Any:
    """Reflect a point at -0.5 and n - 0.5 until it is between them."""
    while not -0.5 <= p <= n - 0.5:
        p = -1 - p if p < -0.5 else 2 * n - 1 - p
    return np.clip(p, 0, n - 1)
