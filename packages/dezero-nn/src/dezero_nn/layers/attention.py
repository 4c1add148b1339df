"""Define `MultiHeadAttention`, and `RotaryEmbedding` for its queries and keys."""

from __future__ import annotations

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer, as_number, require_bool
from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_core.extend import ArrayBackend, backend_of
from dezero_core.functions import split
from dezero_core.state import default_backend
from dezero_core.variable import Operand

from ..functions import linear, rotary, scaled_dot_product_attention
from ..functions.attention import SplitHeads, join_heads
from ..functions.dropout import require_ratio
from .kv_cache import KVCache
from .layer import Layer
from .projection import Projecting, Projection


class RotaryEmbedding(Layer):
    """Rotate queries and keys by their positions; see `dezero_nn.functions.rotary`.

    Args:
        base: ratio of the largest and the smallest angle (default 10000).
        interleaved: whether channels 2 i and 2 i + 1 form a pair, or i and i + D/2 (default).
    """

    def __init__(self, base: float = 10000.0, *, interleaved: bool = False) -> None:
        self.base = as_number("RotaryEmbedding", "base", base)
        require_bool("RotaryEmbedding", "interleaved", interleaved)
        self.interleaved = interleaved

    def forward(self, x: Operand, positions: Operand | None = None) -> Variable:
        return rotary(x, positions, self.base, self.interleaved)


class MultiHeadAttention(Projecting):
    """Attend with several heads: y = concat of the heads' attention, times a matrix.

    Queries, keys and values are one product ``x @ qkv/W``, whose columns are the heads of the
    queries, then those of the keys, then those of the values. ``proj/W`` mixes the heads' results.
    Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        heads: the number of heads of the queries.
        size: number of channels C, a multiple of ``heads``; taken from the first input if None.
        kv_heads: the number of heads of keys and values, a divisor of ``heads`` (default
            ``heads``). With fewer heads, groups of queries share keys and values, and a cache
            needs less memory (Ainslie et al., "GQA", 2023).
        bias: whether both products add a bias (default True).
        dropout: probability of dropping a weight of the attention in training (default 0).
        causal: let each position see only itself and earlier ones (default False).
        rotary: a `RotaryEmbedding` that rotates queries and keys, or None (default).

    Attributes:
        qkv, proj: `Linear` layers; their weights have the shapes (C, C + 2 C kv_heads / heads) and
            (C, C).

    Raises:
        ArgumentError: ``kv_heads`` does not divide ``heads``, ``heads`` does not divide ``size``,
            or ``dropout`` is not in [0, 1).
        ArgumentTypeError: ``rotary`` is not a function.
    """

    def __init__(
        self,
        heads: int,
        size: int | None = None,
        *,
        kv_heads: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        causal: bool = False,
        rotary: RotaryEmbedding | None = None,
    ) -> None:
        name = type(self).__name__
        self.heads = as_integer(name, "heads", heads, 1)
        self.kv_heads = (
            self.heads if kv_heads is None else as_integer(name, "kv_heads", kv_heads, 1)
        )
        if self.heads % self.kv_heads:
            raise ArgumentError(f"{name}: kv_heads {kv_heads} does not divide heads {heads}")
        require_bool(name, "bias", bias)
        require_bool(name, "causal", causal)
        require_ratio(name, dropout, "dropout")
        if rotary is not None and not callable(rotary):
            raise ArgumentTypeError(
                f"{name}: rotary {rotary!r}; expected a RotaryEmbedding or None"
            )
        self.size, self.bias, self.dropout, self.causal = size, bias, dropout, causal
        self.qkv, self.proj, self.rotary = Projection(bias), Projection(bias), rotary
        if size is not None:
            self._init_params(as_integer(name, "size", size, 1), default_backend())

    def require_size(self, size: int) -> None:
        """Raise `ArgumentError` unless the heads divide ``size`` channels."""
        if size % self.heads:
            raise ArgumentError(
                f"{type(self).__name__}: {size} channels for {self.heads} heads; expected a "
                "multiple of heads"
            )

    def _init_params(self, size: int, backend: ArrayBackend) -> None:
        self.require_size(size)
        self.size = size
        self.qkv.create(size, size + 2 * size // self.heads * self.kv_heads, backend)
        self.proj.create(size, size, backend)

    def forward(
        self,
        x: Operand,
        context: Operand | None = None,
        mask: Operand | None = None,
        cache: KVCache | None = None,
    ) -> Variable:
        """Return the attention of ``x`` to itself, or to ``context``.

        Args:
            x: shape (..., T, C).
            context: shape (..., S, C), the source of keys and values (default ``x``), to which
                ``causal`` and ``rotary`` do not apply.
            mask: bools, true for what may be seen, or numbers that are added to the scores; the
                shape broadcasts to (..., heads, T, S), so a mask of keys has the shape
                (N, 1, 1, S).
            cache: stores the keys and values of ``x``, which then attends to those of all earlier
                calls; inside ``no_grad()`` only.

        Returns:
            shape (..., T, C).

        Raises:
            ShapeError: the shapes are incompatible.
            ArgumentError: both ``context`` and ``cache`` are given, or ``mask`` is ``x`` or
                ``context``.
            ArgumentTypeError: ``cache`` is not a `KVCache`.
        """
        if mask is not None and (mask is x or mask is context):
            raise ArgumentError(
                f"{type(self).__name__}: mask is the array that is also x or context; the call is "
                "attention(x, context, mask), where keys and values are both of context"
            )
        x = as_variable(x)
        if x.ndim < 2:
            raise ShapeError(f"{type(self).__name__}: x {x.shape}; expected (..., T, C)")
        x = self._ready_for(x, self.qkv, self.proj)
        if cache is not None and not isinstance(cache, KVCache):
            raise ArgumentTypeError(
                f"{type(self).__name__}: cache is of type {type(cache).__name__}; expected a "
                "KVCache"
            )
        if context is not None and cache is not None:
            raise ArgumentError(
                f"{type(self).__name__}: got both context and cache; a cache is for the keys of x"
            )
        q, k, v = self._heads_of(x, None if context is None else as_variable(context))
        if self.rotary is not None and context is None:
            at = None
            if cache is not None:
                at = backend_of(x.data).arange(x.shape[-2], x.data) + cache.filled_by(self)
            q, k = self.rotary(q, at), self.rotary(k, at)
        if cache is not None:
            k, v = map(as_variable, cache.extend(self, k, v))
        causal = self.causal and context is None
        y = scaled_dot_product_attention(q, k, v, mask, causal, self.dropout)
        return self.proj(join_heads(y))

    def _heads_of(self, x: Variable, context: Variable | None) -> tuple[Variable, ...]:
        """Return queries, keys and values, shape (..., heads, T, D)."""
        heads = self.heads, self.kv_heads, self.kv_heads
        if context is None:
            found: tuple[Variable, ...] = SplitHeads(heads)(self.qkv(x))
            return found
        C, W, b = x.shape[-1], self.qkv.W, self.qkv.b
        sizes = [C, W.shape[1] - C]
        Wq, Wkv = split(W, sizes, axis=1)
        bq, bkv = (None, None) if b is None else split(b, sizes)
        (q,), kv = SplitHeads(heads[:1])(linear(x, Wq, bq)), linear(context, Wkv, bkv)
        return q, *SplitHeads(heads[1:])(kv)
