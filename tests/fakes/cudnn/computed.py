"""Compute the nodes of a graph with NumPy, in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def rounded(x: Any, kept_bits: int | None) -> Any:
    """Round float32 to ``kept_bits`` fraction bits; None does not round."""
    if kept_bits is None:
        return x
    drop = np.uint64(23 - kept_bits)
    whole = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    whole = (whole + (np.uint64(1) << (drop - np.uint64(1)))) >> drop << drop
    return whole.astype(np.uint32).view(np.float32)


def positions(
    kernel: Any, counts: Any, padding: Any, stride: Any, dilation: Any
) -> Iterator[tuple[int, int, Any]]:
    """Yield each kernel position with its index in padded images (N, C, H, W)."""
    (SH, SW), (DH, DW), (OH, OW) = stride, dilation, counts
    for k in range(kernel[0]):
        for m in range(kernel[1]):
            rows = slice(k * DH, k * DH + SH * (OH - 1) + 1, SH)
            yield k, m, (..., rows, slice(m * DW, m * DW + SW * (OW - 1) + 1, SW))


def padded(x: Any, padding: Any) -> Any:
    PH, PW = padding
    return np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))


def by_groups(x: Any, G: int) -> Any:
    return x.reshape(x.shape[0], G, x.shape[1] // G, *x.shape[2:])


def conv_fprop(
    image: Any, weight: Any, padding: Any, stride: Any, dilation: Any, results: Any, kept_bits: Any
) -> list[Any]:
    (shape, _), x = results[0], padded(rounded(image, kept_bits), padding)
    W, G = rounded(weight, kept_bits), image.shape[1] // weight.shape[1]
    filters = W.reshape(G, W.shape[0] // G, *W.shape[1:])
    y = np.zeros(shape, np.float32)
    for k, m, there in positions(W.shape[2:], shape[2:], padding, stride, dilation):
        part = np.einsum("ngchw,goc->ngohw", by_groups(x[there], G), filters[..., k, m])
        y += part.reshape(shape)
    return [y]


def conv_dgrad(
    loss: Any, filter: Any, padding: Any, stride: Any, dilation: Any, results: Any, kept_bits: Any
) -> list[Any]:
    shape, _ = results[0]
    W, G = rounded(filter, kept_bits), shape[1] // filter.shape[1]
    filters, gy = (
        W.reshape(G, W.shape[0] // G, *W.shape[1:]),
        by_groups(rounded(loss, kept_bits), G),
    )
    gx = padded(np.zeros(shape, np.float32), padding)
    for k, m, there in positions(W.shape[2:], loss.shape[2:], padding, stride, dilation):
        part = np.einsum("ngohw,goc->ngchw", gy, filters[..., k, m])
        gx[there] += part.reshape(*shape[:2], *loss.shape[2:])
    PH, PW = padding
    return [gx[:, :, PH : PH + shape[2], PW : PW + shape[3]]]


def conv_wgrad(
    image: Any, loss: Any, padding: Any, stride: Any, dilation: Any, results: Any, kept_bits: Any
) -> list[Any]:
    (shape, _), x = results[0], padded(rounded(image, kept_bits), padding)
    G = image.shape[1] // shape[1]
    gy, gW = by_groups(rounded(loss, kept_bits), G), np.zeros(shape, np.float32)
    for k, m, there in positions(shape[2:], loss.shape[2:], padding, stride, dilation):
        part = np.einsum("ngchw,ngohw->goc", by_groups(x[there], G), gy)
        gW[..., k, m] = part.reshape(shape[:2])
    return [gW]


def bias(input: Any, bias: Any, results: Any, kept_bits: Any) -> list[Any]:
    return [input + bias]


def scores_of(q: Any, k: Any, scale: float, causal: bool) -> Any:
    scores = scale * (q @ k.swapaxes(2, 3))
    hidden = np.triu(np.ones(scores.shape[2:], bool), 1) if causal else False
    return np.where(hidden, -np.inf, scores)


def sdpa(
    q: Any, k: Any, v: Any, attn_scale: float, use_causal_mask: bool, results: Any, kept_bits: Any
) -> list[Any]:
    scores = scores_of(q, k, attn_scale, use_causal_mask)
    stats = np.log(np.exp(scores).sum(axis=3, keepdims=True))
    return [np.exp(scores - stats) @ v, stats]


def sdpa_backward(
    q: Any, k: Any, v: Any, o: Any, dO: Any, stats: Any, attn_scale: float, use_causal_mask: bool,
    results: Any, kept_bits: Any,
) -> list[Any]:  # fmt: skip
    p = np.exp(scores_of(q, k, attn_scale, use_causal_mask) - stats)
    gp = dO @ v.swapaxes(2, 3)
    gs = attn_scale * p * (gp - (dO * o).sum(axis=3, keepdims=True))
    return [gs @ k, gs.swapaxes(2, 3) @ q, p.swapaxes(2, 3) @ dO]
