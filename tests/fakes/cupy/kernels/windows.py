"""Compute im2col, col2im and pooling of images."""

from __future__ import annotations

from typing import Any

import numpy as np


def places(geometry: tuple[int, ...]) -> Any:
    """Yield each kernel position (k, m) with its index in padded images (N, C, H, W)."""
    _, _, OH, OW, KH, KW, SH, SW, _, _, DH, DW = geometry
    for k in range(KH):
        for m in range(KW):
            rows = slice(k * DH, k * DH + SH * (OH - 1) + 1, SH)
            yield k, m, (..., rows, slice(m * DW, m * DW + SW * (OW - 1) + 1, SW))


def padded(x: Any, geometry: tuple[int, ...], value: float) -> Any:
    PH, PW = geometry[8:10]
    return np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)), constant_values=value)


def im2col(x: Any, cols: Any, value: Any, *rest: Any) -> None:
    image = padded(x, rest[:-1], value)
    for k, m, there in places(rest[:-1]):
        cols[:, :, k, m] = image[there]


def col2im(cols: Any, x: Any, *rest: Any) -> None:
    H, W, *_, PH, PW, _, _ = rest[:-1]
    image = padded(np.zeros_like(x), rest[:-1], 0)
    for k, m, there in places(rest[:-1]):
        image[there] += cols[:, :, k, m]
    x[...] = image[:, :, PH : PH + H, PW : PW + W]


def max_pool2d(x: Any, y: Any, index: Any, C: int, last: int, *rest: Any) -> None:
    image = padded(x, rest[:-1], -np.inf)
    windows = np.stack([image[there] for _, _, there in places(rest[:-1])])
    y[...] = windows.max(axis=0)
    if isinstance(index, np.ndarray):
        index[...] = windows.argmax(axis=0)


def max_pool2d_grad(gy: Any, index: Any, gx: Any, C: int, last: int, *rest: Any) -> None:
    KW = rest[5]
    cols = np.zeros((*gy.shape[:2], rest[4], KW, *gy.shape[2:]), gy.dtype)
    for k, m, _ in places(rest[:-1]):
        cols[:, :, k, m] = np.where(index == k * KW + m, gy, 0)
    col2im(cols, gx, *rest)


def average_pool2d(x: Any, y: Any, C: int, last: int, *rest: Any) -> None:
    image = padded(x, rest[:-1], 0)
    KH, KW = rest[4:6]
    y[...] = sum(image[there] for _, _, there in places(rest[:-1])) / (KH * KW)


def average_pool2d_grad(gy: Any, gx: Any, C: int, last: int, *rest: Any) -> None:
    (KH, KW), (PH, PW) = rest[4:6], rest[8:10]
    image = padded(np.zeros_like(gx), rest[:-1], 0)
    for _, _, there in places(rest[:-1]):
        image[there] += gy / (KH * KW)
    gx[...] = image[:, :, PH : PH + gx.shape[2], PW : PW + gx.shape[3]]
