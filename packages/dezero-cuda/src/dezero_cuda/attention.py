"""Compute attention in bfloat16 by cuDNN, which never writes the scores to memory.

The kernels run with `dezero.precision("bf16")`, without a mask and without dropout. Otherwise
matmuls and a softmax compute attention. The workspace for the backward pass is one float32 number
for each query, shape (B, H, T); a workspace of any other kernel has as many axes as the queries.
"""

from __future__ import annotations

from typing import TypeAlias

import cupy
import numpy as np

from dezero_core import Config

from . import graphs
from .graphs import Attention
from .kernels.layouts import contiguous
from .kernels.rounding import from_bfloat16, to_bfloat16
from .plans import Plan, plan_for

Array: TypeAlias = cupy.ndarray


def describe(
    is_gradient: bool, q: Array, k: Array, v: Array, causal: bool, scale: float, statistics: bool
) -> Attention:
    """Return the description of attention of these arrays."""
    return Attention(is_gradient, q.shape, k.shape, v.shape, causal, float(scale), statistics)


def bfloat16_bits(x: Array) -> Array:
    """Return float32 ``x`` rounded to bfloat16, in C order."""
    return to_bfloat16(contiguous(x))


def supports_attention(
    q: Array, k: Array, v: Array, mask: Array | None, keep: Array | None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> bool | str:  # fmt: skip
    """Return whether cuDNN can compute attention and, if necessary, its gradients, or why not."""
    if Config.float32_precision != "bf16" or {x.dtype.char for x in (q, k, v)} != {"f"}:
        return 'the arrays are not float32, or the precision is not "bf16"'
    if mask is not None or keep is not None:
        return "there is a mask or dropout"
    if causal and q.shape[2] != k.shape[2]:
        return "there are not as many keys as queries"
    if q.ndim != 4 or not (q.size and k.size and v.size):
        return "the arrays are empty, or do not have four axes"
    gradients = [True] if needs_workspace else []
    for is_gradient in (False, *gradients):
        statistics = is_gradient or needs_workspace
        plan = plan_for(describe(is_gradient, q, k, v, causal, scale, statistics))
        if isinstance(plan, str):
            return plan
    return True


def attention(
    q: Array, k: Array, v: Array, mask: Array | None, keep: Array | None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> tuple[Array, Array | None]:  # fmt: skip
    """Return softmax(scale q k^T) v, and the workspace or None."""
    plan = plan_for(describe(False, q, k, v, causal, scale, needs_workspace))
    assert isinstance(plan, Plan)
    y = cupy.empty((*q.shape[:3], v.shape[3]), np.uint16)
    arrays = {
        graphs.Q: bfloat16_bits(q),
        graphs.K: bfloat16_bits(k),
        graphs.V: bfloat16_bits(v),
        graphs.OUTPUT: y,
    }
    workspace = cupy.empty(q.shape[:3], np.float32) if needs_workspace else None
    if workspace is not None:
        arrays[graphs.STATISTICS] = workspace
    plan(arrays)
    return from_bfloat16(y), workspace


def supports_attention_grad(
    gy: Array, y: Array, workspace: Array, q: Array, k: Array, v: Array, keep: Array | None,
    causal: bool, scale: float, dropout: float,
) -> bool | str:  # fmt: skip
    """Return whether cuDNN's forward pass wrote the workspace, or why not."""
    return workspace.ndim == q.ndim - 1 or "another kernel wrote the workspace"


def attention_grad(
    gy: Array, y: Array, workspace: Array, q: Array, k: Array, v: Array, keep: Array | None,
    causal: bool, scale: float, dropout: float,
) -> tuple[Array, ...]:  # fmt: skip
    """Return the gradients of q, k and v."""
    plan = plan_for(describe(True, q, k, v, causal, scale, True))
    assert isinstance(plan, Plan)
    results = [cupy.empty(x.shape, np.uint16) for x in (q, k, v)]
    inputs = {
        graphs.Q: bfloat16_bits(q), graphs.K: bfloat16_bits(k), graphs.V: bfloat16_bits(v),
        graphs.OUTPUT: bfloat16_bits(y), graphs.GRADIENT: bfloat16_bits(gy),
        graphs.STATISTICS: workspace,
    }  # fmt: skip
    numbers = graphs.GRAD_Q, graphs.GRAD_K, graphs.GRAD_V
    plan({**inputs, **dict(zip(numbers, results, strict=True))})
    return tuple([from_bfloat16(x) for x in results])
