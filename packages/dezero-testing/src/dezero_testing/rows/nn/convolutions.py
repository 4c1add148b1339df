"""Define the rows of convolutions over one and three axes, and of transposed convolutions.

The references add one product of a window and a filter at a time, for any number of axes.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from dezero_core.backends.host import HostArray
from dezero_core.functions import sum
from dezero_nn import functions as F

from ...op_case import OpCase, Shapes

ONES = (1, 1), (0, 0), (1, 1)
"""The default stride, padding and dilation of images."""
SIGNALS = (((1, 2, 4), (2, 2, 3), (2,)), ((1, 1, 1), (1, 1, 1), (1,)), ((0, 1, 3), (1, 1, 2), (1,)))
VOLUMES = (((1, 1, 2, 3, 2), (2, 1, 2, 2, 1), (2,)), ((1, 1, 1, 1, 2), (1, 1, 1, 1, 2), (1,)))
SPREAD_SIGNALS = (((2, 2, 2), (2, 1, 3), (1,)), ((1, 1, 1), (1, 1, 1), (1,)))
SPREAD_IMAGES = (((1, 2, 1, 2), (2, 1, 2, 2), (1,)), ((0, 1, 2, 2), (1, 1, 2, 2), (1,)))
SPREAD_VOLUMES = (
    ((1, 1, 2, 1, 2), (1, 2, 2, 2, 1), (2,)),
    ((1, 1, 1, 1, 1), (1, 1, 1, 1, 1), (1,)),
)


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [
        *_pair("conv1d", SIGNALS, {}),
        *_pair("conv1d", (((4, 4), (2, 2, 2), (2,)),), _settings((2,), (1,), (2,), 2), "settings"),
        *_pair("conv3d", VOLUMES, {}),
        *_pair(
            "conv3d",
            (((1, 2, 3, 1, 2), (2, 1, 2, 1, 2), (2,)),),
            _settings((2, 1, 1), (1, 0, 1), (1, 1, 2), 2),
            "settings",
        ),
        OpCase(
            "conv1d same",
            lambda x, W: F.conv1d(x, W, padding="same", dilation=3),
            lambda x, W: _conv(np.pad(x, ((0, 0), (0, 0), (1, 2))), W, (1,), (0,), (3,), 1),
            (((1, 2, 3), (1, 2, 2)),),
        ),
        OpCase(
            "conv2d same",
            lambda x, W: F.conv2d(x, W, padding="same"),
            lambda x, W: _conv(np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 1)]), W, *ONES, 1),
            (((1, 1, 2, 3), (1, 1, 3, 2)),),
        ),
        *_pair("conv_transpose1d", SPREAD_SIGNALS, {}),
        *_pair("conv_transpose2d", SPREAD_IMAGES, {}),
        *_pair("conv_transpose3d", SPREAD_VOLUMES, {}),
        *_pair(
            "conv_transpose3d",
            (((2, 2, 1, 2), (2, 1, 2, 1, 2), (2,)),),
            {**_settings((2, 1, 2), (1, 0, 1), (1, 2, 1), 2), "output_padding": (1, 0, 1)},
            "settings",
        ),
        OpCase(
            "unfold",
            lambda x: F.unfold(x, (2, 1), (2, 1), (1, 0), (1, 2)) + sum(x),
            lambda x: _unfolded(x) + x.sum(),
            (((1, 2, 3, 3),), ((1, 1, 1, 1),), ((0, 1, 3, 3),)),
        ),
        OpCase(
            "fold",
            lambda x: F.fold(x, (1, 3), (1, 2)),
            lambda x: (np.pad(x[:, ::2], ((0, 0), (0, 0), (0, 1)))
                       + np.pad(x[:, 1::2], ((0, 0), (0, 0), (1, 0))))[:, :, None],
            (((1, 4, 2),), ((0, 2, 2),)),
        ),
    ]  # fmt: skip


def _settings(stride: Any, padding: Any, dilation: Any, groups: int) -> dict[str, Any]:
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _pair(name: str, shapes: tuple[Shapes, ...], settings: Any, variant: str = "") -> list[OpCase]:
    """Return the row of one op; the sum of x is added, so that no gradient is zero."""
    op, n = getattr(F, name), int(name[-2])
    full = {**_settings((1,) * n, (0,) * n, (1,) * n, 1), **settings}
    reference = _conv_transposed if "transpose" in name else _conv

    def expected(x: HostArray, W: HostArray, b: HostArray) -> Any:
        is_batch = x.ndim == n + 2
        y = reference(x if is_batch else x[None], W, **full) + b.reshape(-1, *[1] * n)
        return (y if is_batch else y[0]).astype(x.dtype) + x.sum()

    title = f"{name} {variant}".strip()
    return [OpCase(title, lambda x, W, b: op(x, W, b, **settings) + sum(x), expected, shapes)]


def _part(i: Any, kernel: Any, stride: Any, dilation: Any) -> Any:
    """Return the index of the window at position ``i`` of a padded array (N, C, ...)."""
    each = zip(i, kernel, stride, dilation, strict=True)
    return (slice(None),) * 2 + tuple(
        slice(p * s, p * s + d * (k - 1) + 1, d) for p, k, s, d in each
    )


def _conv(x: HostArray, W: HostArray, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Multiply each window by each filter."""
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    each = zip(x.shape[2:], W.shape[2:], stride, dilation, strict=True)
    counts = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in each]
    y = np.zeros((len(x), len(W), *counts))
    C, OC = W.shape[1], len(W) // groups
    for o, i in product(range(len(W)), np.ndindex(*counts)):
        window = x[_part(i, W.shape[2:], stride, dilation)]
        window = window[:, o // OC * C : (o // OC + 1) * C]
        y[(slice(None), o, *i)] = (window * W[o]).sum(axis=tuple(range(1, x.ndim)))
    return y


def _conv_transposed(
    x: HostArray, W: HostArray, stride: Any, padding: Any, dilation: Any, groups: int,
    output_padding: Any = None,
) -> Any:  # fmt: skip
    """Add each element of ``x`` times a filter to the result, and cut off the padding."""
    more = output_padding or (0,) * len(stride)
    each = zip(x.shape[2:], W.shape[2:], stride, dilation, more, strict=True)
    size = [(n - 1) * s + d * (k - 1) + 1 + m for n, k, s, d, m in each]
    y = np.zeros((len(x), W.shape[1] * groups, *size))
    C, OC = x.shape[1] // groups, W.shape[1]
    for c, i in product(range(x.shape[1]), np.ndindex(*x.shape[2:])):
        g = c // C
        part = y[:, g * OC : (g + 1) * OC][_part(i, W.shape[2:], stride, dilation)]
        part += np.expand_dims(x[(slice(None), c, *i)], tuple(range(1, y.ndim))) * W[c]
    inside = [slice(p, n - p) for p, n in zip(padding, size, strict=True)]
    return y[(slice(None), slice(None), *inside)]


def _unfolded(x: HostArray) -> Any:
    """Return windows of two rows, two rows apart, in every second column, with padded rows."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))[..., ::2]
    windows = np.stack([padded[:, :, :-2], padded[:, :, 2:]], axis=2)
    return windows.reshape(len(x), x.shape[1] * 2, windows.shape[3] * windows.shape[4])
