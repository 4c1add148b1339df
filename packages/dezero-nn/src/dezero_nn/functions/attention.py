"""Define scaled dot-product attention, with masks, grouped queries and dropout.

        q (..., T, D) @ k^T (..., D, S)  -->  scores  -->  softmax  -->  weights (..., T, S)
                                                                              |
                                        v (..., S, E)  ---------------------> @  -->  y (..., T, E)

A row of weights says how much each of the S keys contributes to one of the T queries.
"""

from __future__ import annotations

import math
from builtins import sum as total
from functools import partial
from itertools import accumulate
from typing import Any

from dezero_core import Config, Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_number, require_bool
from dezero_core.diagnosis import broadcast_shape
from dezero_core.dtypes import as_floating, call_widened, cast, is_floating
from dezero_core.errors import ArgumentTypeError, BackendMismatch, ShapeError
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import (
    astype,
    broadcast_to,
    concat,
    exp,
    expand_dims,
    matmul,
    matrix_transpose,
    maximum,
    reshape,
    sum,
    where,
)
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .dropout import require_ratio
from .recurrent import with_values

OP = "scaled_dot_product_attention"
"""The name in error messages."""


class Attention(Function):
    """y = m p v, with p = softmax(scale q k^T + mask) and m = keep / (1 - dropout).

    With gp = m (gy v^T) and gs = scale p (gp - sum of gp p over the keys):
    dL/dq = gs k,  dL/dk = gs^T q,  dL/dv = (m p)^T gy.

    The outputs are y and a workspace for the backward pass; without a graph, only y. With
    ``create_graph``, the backward pass computes p and the gradients from basic functions to record
    the graph, and then replaces the values of these gradients by those of `attention_grad_op`.
    """

    materialize_grads = False

    def __init__(self, causal: bool, scale: float, dropout: float) -> None:
        self.settings = causal, scale, dropout

    def forward(self, q: Array, k: Array, v: Array, mask: Array, keep: Array | None) -> Any:
        records = Config.enable_backprop
        y, workspace = attention_op(q, k, v, mask, keep, *self.settings, records)
        return (y, workspace) if records else y

    def backward(self, gy: AnyArray, _: AnyArray) -> Any:
        (q, k, v, mask, keep), (y, workspace) = self.inputs, self.outputs
        g = unwrap(gy)
        if g.dtype != y.dtype:  # the kernel that wrote the workspace takes the dtype of y only
            g = cast(g, y.dtype)
        arguments = *map(unwrap, (y, workspace, q, k, v, keep)), *self.settings
        arrays = attention_grad_op(g, *arguments)
        if not isinstance(y, Variable):
            return *arrays, None, None
        p = attention_weights(q, k, unwrap(mask), *self.settings[:2])
        found = attention_gradients(gy, p, q, k, v, unwrap(keep), *self.settings[1:])
        return *with_values(found, arrays), None, None


def attention_weights(
    q: AnyArray, k: AnyArray, mask: AnyArray | None, causal: bool, scale: float
) -> Any:
    """Return softmax(scale q k^T + mask) over the keys; a row that sees no key has only zeros."""
    scores = matmul(q, matrix_transpose(k)) * scale
    if mask is not None:
        scores = scores + mask
    if causal:
        scores = scores + hide_later_keys(unwrap(scores))
    array = unwrap(scores)
    xp = get_array_module(array)
    if 0 in array.shape:
        return scores
    top = xp.max(array, axis=-1, keepdims=True)
    e = exp(scores - xp.where(top == -math.inf, xp.zeros_like(top), top))
    return e / maximum(sum(e, -1, keepdims=True), 0.5)  # the sum is 0, or at least 1


def hide_later_keys(scores: Array) -> Any:
    """Return zeros (T, S), and -inf where key s comes after query t: s > t + S - T."""
    xp, (T, S) = get_array_module(scores), scores.shape[-2:]
    hidden = backend_of(scores).zeros((T, S), scores) - math.inf
    return xp.triu(hidden, k=1 + S - T)


def attention_gradients(
    gy: AnyArray,
    p: AnyArray,
    q: AnyArray,
    k: AnyArray,
    v: AnyArray,
    keep: Array | None,
    scale: float,
    dropout: float,
) -> tuple[Any, Any, Any]:
    """Return the gradients of q, k and v, by the formulas of `Attention`."""
    gp, dropped = matmul(gy, matrix_transpose(v)), p
    if keep is not None:
        gp = where(keep, gp, 0.0) / (1 - dropout)
        dropped = where(keep, p, 0.0) / (1 - dropout)
    gs = p * (gp - sum(gp * p, -1, keepdims=True)) * scale
    gk = matmul(matrix_transpose(gs), q)
    return matmul(gs, k), gk, matmul(matrix_transpose(dropped), gy)


@kernel_op
def attention_op(
    q: Array, k: Array, v: Array, mask: Array | None, keep: Array | None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> tuple[Array, Array | None]:  # fmt: skip
    """Return softmax(scale q k^T + mask) v, and a workspace for the backward pass or None.

    q: (B, H, T, D); k: (B, H, S, D); v: (B, H, S, E); the result: (B, H, T, E). mask: numbers that
    broadcast to (B, H, T, S). keep: bools (B, H, T, S); where keep is false, a weight becomes 0,
    and the other weights are divided by 1 - dropout. With ``causal``, query t sees the keys up to
    t + S - T. The workspace is the weights before dropout, (B, H, T, S). A kernel may return a
    workspace of another shape, because only the `attention_grad_op` of the kernel's own package
    reads the workspace.
    """
    queries, keys = Variable(q, requires_grad=False), Variable(k, requires_grad=False)
    p = unwrap(attention_weights(queries, keys, mask, causal, scale))
    xp, weights = get_array_module(p), p
    if keep is not None:
        weights = xp.where(keep, p, xp.zeros_like(p)) / (1 - dropout)
    return weights @ v, p if needs_workspace else None


@kernel_op
def attention_grad_op(
    gy: Array, y: Array, workspace: Array, q: Array, k: Array, v: Array, keep: Array | None,
    causal: bool, scale: float, dropout: float,
) -> tuple[Array, ...]:  # fmt: skip
    """Return the gradients of q, k and v.

    gy: the gradient of y; y and workspace: the results of `attention_op`; the others: its
    arguments.
    """
    arrays = gy, workspace, q, k, v
    g, p, queries, keys, values = [Variable(x, requires_grad=False) for x in arrays]
    found = attention_gradients(g, p, queries, keys, values, keep, scale, dropout)
    return tuple([unwrap(gradient) for gradient in found])


@hinted
def scaled_dot_product_attention(
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Operand | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Variable:
    """Return softmax(scale q k^T + mask) v: for each query, a mean of the values v.

    If ``k`` and ``v`` have fewer heads (axis -3) than ``q``, each of their heads serves a group of
    consecutive heads of ``q`` (grouped queries). All other leading axes broadcast. A query that
    sees no key gets zeros. Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        q: queries, shape (..., T, D).
        k: keys, shape (..., S, D).
        v: values, shape (..., S, E).
        mask: bools, true for the keys that a query may see, or numbers that are added to the
            scores. An array on the host of the numbers 0 and 1 is refused: it is probably meant as
            bools. The shape broadcasts to (..., T, S). Numbers in a Variable that requires grad get
            a gradient, which runs without the kernel.
        causal: let query t see only the keys up to t + S - T: with T = S, its own and earlier
            ones. PyTorch's ``is_causal`` gives the same result only if T = S.
        dropout: in training mode, set each weight to 0 with this probability, and divide the other
            weights by ``1 - dropout`` (default 0).
        scale: factor of the scores (default 1 / sqrt(D)).

    Returns:
        shape (..., T, E).

    Raises:
        ShapeError: the shapes are incompatible.
        ArgumentError: ``dropout`` is not in [0, 1).
        ArgumentTypeError: an argument has a wrong type, such as a mask of integers.
        BackendMismatch: ``mask`` is an array of another library.
    """
    require_ratio(OP, as_number(OP, "dropout", dropout), "dropout")
    require_bool(OP, "causal", causal)
    q, k, v = with_equal_leading_axes(*[as_variable(as_floating(x)) for x in (q, k, v)])
    factor = max(q.shape[-1], 1) ** -0.5 if scale is None else as_number(OP, "scale", scale)
    if mask is not None:
        mask = as_added_mask(mask, (*q.shape[:-1], k.shape[-2]), q.data)
    settings = causal, factor, dropout if Config.train else 0.0
    return call_widened(partial(attend, mask=mask, settings=settings), q, k, v)


def attend(
    q: Variable,
    k: Variable,
    v: Variable,
    mask: Variable | None,
    settings: tuple[bool, float, float],
) -> Variable:
    """Compute attention in the dtype of q, k and v; a mask that requires grad gets a gradient."""
    causal, scale, dropout = settings
    keep = None
    if dropout > 0:
        backend, shape = backend_of(q.data), (*q.shape[:-1], k.shape[-2])
        like = backend.xp.broadcast_to(backend.zeros((), q.data), shape)
        keep = backend.bernoulli(1 - dropout, like)
    if mask is not None:
        mask = astype(mask, q.dtype)
    if mask is None or not mask.requires_grad:
        found = Attention(*settings)(q, k, v, unwrap(mask), keep)
        return found[0] if isinstance(found, tuple) else found
    p = attention_weights(q, k, mask, causal, scale)
    return matmul(p if keep is None else where(keep, p, 0.0) / (1 - dropout), v)


def with_equal_leading_axes(q: Variable, k: Variable, v: Variable) -> tuple[Variable, ...]:
    """Check the shapes of q, k and v; repeat heads of k and v; broadcast the leading axes."""
    shapes = Q, K, V = q.shape, k.shape, v.shape
    if min(len(Q), len(K), len(V)) < 2 or Q[-1] != K[-1] or K[-2] != V[-2]:
        raise ShapeError(
            f"{OP}: q {Q}, k {K}, v {V}: expected (..., T, D), (..., S, D) and (..., S, E)"
        )
    if Q[:-2] == K[:-2] == V[:-2]:
        return q, k, v
    heads = q.shape[-3] if q.ndim > 2 else 1
    k, v = repeat_heads(k, heads), repeat_heads(v, heads)
    lead = broadcast_shape(*[x.shape[:-2] for x in (q, k, v)])
    if lead is None:
        raise ShapeError(
            f"{OP}: q {shapes[0]}, k {shapes[1]}, v {shapes[2]}: the axes before the last two must "
            "broadcast; for grouped queries the heads (axis -3) of k and v must divide those of q"
        )
    wanted = [(*lead, *x.shape[-2:]) for x in (q, k, v)]
    pairs = zip((q, k, v), wanted, strict=True)
    return tuple([x if x.shape == shape else broadcast_to(x, shape) for x, shape in pairs])


def repeat_heads(x: Variable, heads: int) -> Variable:
    """Repeat each head of ``x`` (axis -3) so that there are ``heads``, if that is a multiple."""
    few = x.shape[-3] if x.ndim > 2 else 1
    if few < 2 or few == heads or heads % few:
        return x
    *lead, S, D = x.shape
    x = broadcast_to(expand_dims(x, -3), (*lead, heads // few, S, D))
    return reshape(x, (*lead[:-1], heads, S, D))


def as_added_mask(mask: Operand, shape: tuple[int, ...], like: Array) -> Variable:
    """Check a mask, and return the numbers that are added to scores of ``shape``."""
    if isinstance(mask, bool):
        raise ArgumentTypeError(f"{OP}: mask is {mask}; expected an array; write causal={mask}")
    mask = as_variable(mask)
    backend = backend_of(mask.data)
    if backend is not backend_of(like):
        name = backend_of(like).name
        raise BackendMismatch(
            f"{OP}: mask is an array of {backend.name}, q of {name}; expected one library; move "
            f"the mask with Variable(mask).to({name!r})"
        )
    if broadcast_shape(mask.shape, shape) != shape:
        raise ShapeError(f"{OP}: mask {mask.shape} does not broadcast to the scores {shape}")
    if backend.xp.isdtype(mask.dtype, "bool"):
        numbers = [backend.scalar_like(x, like) for x in (0.0, -math.inf)]
        return Variable(backend.xp.where(mask.data, *numbers), requires_grad=False)
    if not is_floating(mask.dtype, backend):
        raise ArgumentTypeError(
            f"{OP}: mask is {mask.dtype}; expected bools, true for keys that a query may see "
            "(mask != 0 converts), or floating-point numbers that are added to the scores"
        )
    if not mask.requires_grad and backend.can_read(mask.data) and is_zeros_and_ones(mask.data):
        raise ArgumentTypeError(
            f"{OP}: mask holds only 0.0 and 1.0, which would be added to the scores; "
            "mask != 0 converts it to bools"
        )
    return mask


def is_zeros_and_ones(mask: Array) -> bool:
    """Return whether an array contains 0 and 1, and no other numbers."""
    if mask.ndim == 0 or 0 in mask.shape:
        return False
    xp = get_array_module(mask)
    row = mask[(*(0,) * (mask.ndim - 1), slice(None))]  # the first row decides for most masks
    if not bool(xp.all((row == 0) | (row == 1))):
        return False
    ones = mask == 1
    return bool(xp.all((mask == 0) | ones) & xp.any(ones) & xp.any(mask == 0))


class SplitHeads(Function):
    """Split x (..., T, n D) into heads (..., h, T, D), for each h in ``heads``, which add up to n.

    The gradient of x joins the heads of all gradients: one copy.
    """

    def __init__(self, heads: tuple[int, ...]) -> None:
        self.heads = heads

    def forward(self, x: Array) -> Any:
        xp, n = get_array_module(x), total(self.heads)
        y = xp.reshape(x, (*x.shape[:-1], n, x.shape[-1] // n))
        y = xp.permute_dims(y, swapped_heads(y.ndim))
        ends = [*accumulate(self.heads)]
        pairs = zip(ends, self.heads, strict=True)
        return tuple([y[..., end - h : end, :, :] for end, h in pairs])

    def backward(self, *gys: AnyArray) -> Any:
        return concat([join_heads(gy) for gy in gys], axis=-1)


class JoinHeads(Function):
    """Join the heads of x (..., h, T, D) side by side to an array (..., T, h D)."""

    def forward(self, x: Array) -> Any:
        xp, (*lead, h, T, D) = get_array_module(x), x.shape
        return xp.reshape(xp.permute_dims(x, swapped_heads(x.ndim)), (*lead, T, h * D))

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return SplitHeads((x.shape[-3],))(gy)[0]


def join_heads(x: AnyArray) -> Any:
    """Join the heads of x (..., h, T, D) side by side to an array (..., T, h D)."""
    return JoinHeads()(x)


def swapped_heads(ndim: int) -> tuple[int, ...]:
    """Return the order of ``ndim`` axes that swaps the second and the third to last."""
    return *range(ndim - 3), ndim - 2, ndim - 3, ndim - 1
