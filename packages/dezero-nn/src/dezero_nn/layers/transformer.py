"""Define `TransformerBlock`, and the feed-forward layers of its second half."""

from __future__ import annotations

from collections.abc import Callable

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer, as_number, require_bool
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import ArrayBackend
from dezero_core.state import default_backend
from dezero_core.variable import Operand

from ..functions import dropout as drop
from ..functions import gelu, swiglu
from .attention import MultiHeadAttention, RotaryEmbedding
from .kv_cache import KVCache
from .layer import Layer
from .normalization import LayerNorm
from .projection import Projecting, Projection
from .rms_norm import RMSNorm

NORMS: dict[str, Callable[[int | None], Layer]] = {"layer": LayerNorm, "rms": RMSNorm}
"""The layers that the argument ``norm`` of `TransformerBlock` names."""


class FeedForward(Projecting):
    """Apply two `Linear` layers, with an activation function between them.

    Args:
        hidden: length of the vectors between the layers; if None, four times the input's channels.
        activation: a function of Variables (default `dezero_nn.functions.gelu`).
        bias: whether the layers add a bias (default True).
        size: number of channels, C; taken from the first input if None (default).

    Attributes:
        up, down: `Linear` layers, with weights of shape (C, hidden) and (hidden, C).
    """

    def __init__(
        self,
        hidden: int | None = None,
        activation: Callable[[Variable], Variable] = gelu,
        *,
        bias: bool = True,
        size: int | None = None,
    ) -> None:
        self.hidden = None if hidden is None else as_integer("FeedForward", "hidden", hidden, 1)
        require_bool("FeedForward", "bias", bias)
        self.activation, self.bias = activation, bias
        self.up, self.down = Projection(bias), Projection(bias)
        if size is not None:
            self._init_params(as_integer("FeedForward", "size", size, 1), default_backend())

    def _init_params(self, size: int, backend: ArrayBackend) -> None:
        hidden = self.hidden or 4 * size
        self.up.create(size, hidden, backend)
        self.down.create(hidden, size, backend)

    def forward(self, x: Operand) -> Variable:
        x = self._ready_for(x, self.up, self.down)
        return self.down(self.activation(self.up(x)))


class SwiGLU(Projecting):
    """Compute down(silu(gate(x)) * up(x)), the feed-forward layer of Llama.

    Shazeer, "GLU Variants Improve Transformer", 2020.

    Args:
        hidden: length of the vectors between the layers; if None, four times the input's channels.
        bias: whether the layers add a bias (default False).
        size: number of channels, C; taken from the first input if None (default).

    Attributes:
        gate, up, down: `Linear` layers, with weights of shape (C, hidden), (C, hidden) and
            (hidden, C).
    """

    def __init__(
        self, hidden: int | None = None, *, bias: bool = False, size: int | None = None
    ) -> None:
        self.hidden = None if hidden is None else as_integer("SwiGLU", "hidden", hidden, 1)
        require_bool("SwiGLU", "bias", bias)
        self.bias = bias
        self.gate, self.up, self.down = Projection(bias), Projection(bias), Projection(bias)
        if size is not None:
            self._init_params(as_integer("SwiGLU", "size", size, 1), default_backend())

    def _init_params(self, size: int, backend: ArrayBackend) -> None:
        hidden = self.hidden or 4 * size
        for layer in (self.gate, self.up):
            layer.create(size, hidden, backend)
        self.down.create(hidden, size, backend)

    def forward(self, x: Operand) -> Variable:
        x = self._ready_for(x, self.gate, self.up, self.down)
        return self.down(swiglu(self.up(x), self.gate(x)))


class TransformerBlock(Layer):
    """Add self-attention to the input, and then the output of a feed-forward layer.

    With ``pre_norm``, x + attention(norm1(x)) and then x + mlp(norm2(x)), as in GPT-2 and Llama.
    Without it, norm1(x + attention(x)) and then norm2(x + mlp(x)), as in "Attention Is All You
    Need" (Vaswani et al., 2017).

    Args:
        heads: the number of heads of the attention.
        hidden: length of the vectors inside the feed-forward layer, divided by the number of
            channels (default 4).
        norm: "layer" for `LayerNorm` (default), or "rms" for `RMSNorm`.
        activation: "gelu" (default), "swiglu" for a `SwiGLU` layer, or another function.
        pre_norm: whether the norms come before the attention and the feed-forward layer (default
            True).
        dropout: in training, probability of dropping a weight of the attention, or an element that
            is added to the input (default 0).
        bias: whether the linear layers add a bias (default True).
        size: number of channels; taken from the first input if None (default).
        causal, kv_heads, rotary: as for `MultiHeadAttention`.

    Attributes:
        norm1, norm2: the norms.
        attention: `MultiHeadAttention`.
        mlp: `FeedForward` or `SwiGLU`.

    Raises:
        ArgumentError: an argument is not among the values above.
    """

    def __init__(
        self,
        heads: int,
        hidden: float = 4,
        *,
        norm: str = "layer",
        activation: str | Callable[[Variable], Variable] = "gelu",
        pre_norm: bool = True,
        dropout: float = 0.0,
        bias: bool = True,
        size: int | None = None,
        causal: bool = False,
        kv_heads: int | None = None,
        rotary: RotaryEmbedding | None = None,
    ) -> None:
        name = "TransformerBlock"
        self.hidden, self.norm, self.pre_norm = as_number(name, "hidden", hidden), norm, pre_norm
        self.activation, self.dropout = activation, dropout
        if self.hidden <= 0:
            raise ArgumentError(f"{name}: hidden {hidden}; expected a number above 0")
        for key, flag in (("pre_norm", pre_norm), ("bias", bias), ("causal", causal)):
            require_bool(name, key, flag)
        if not isinstance(norm, str) or norm not in NORMS:
            raise ArgumentError(f"{name}: norm {norm!r}; expected one of {', '.join(NORMS)}")
        self.norm1, self.norm2 = NORMS[norm](size), NORMS[norm](size)
        self.attention = MultiHeadAttention(
            heads, size, kv_heads=kv_heads, bias=bias, dropout=dropout, causal=causal, rotary=rotary
        )
        inside = None if size is None else self._hidden_for(size)
        if isinstance(activation, str) and activation == "swiglu":
            self.mlp: FeedForward | SwiGLU = SwiGLU(inside, bias=bias, size=size)
        elif callable(activation) or str(activation) == "gelu":
            function = activation if callable(activation) else gelu
            self.mlp = FeedForward(inside, function, bias=bias, size=size)
        else:
            raise ArgumentError(
                f"{name}: activation {activation!r}; expected 'gelu', 'swiglu' or a function"
            )

    def forward(
        self, x: Operand, mask: Operand | None = None, cache: KVCache | None = None
    ) -> Variable:
        """Return an array of the shape (..., T, C) of ``x``.

        The arguments are those of `MultiHeadAttention`.

        Raises:
            ShapeError: ``x`` has fewer than two axes.
        """
        x = as_variable(x)
        if x.ndim < 2:
            raise ShapeError(f"TransformerBlock: x {x.shape}; expected (..., T, C)")
        if self.mlp.hidden is None:
            self.attention.require_size(x.shape[-1])  # raises an error before the norms have a size
            self.mlp.hidden = self._hidden_for(x.shape[-1])
        if self.pre_norm:
            x = x + self._drop(self.attention(self.norm1(x), mask=mask, cache=cache))
            return x + self._drop(self.mlp(self.norm2(x)))
        x = self.norm1(x + self._drop(self.attention(x, mask=mask, cache=cache)))
        return self.norm2(x + self._drop(self.mlp(x)))

    def _hidden_for(self, size: int) -> int:
        """Return the length of the vectors inside the feed-forward layer for ``size`` channels."""
        return max(int(self.hidden * size), 1)

    def _drop(self, x: Variable) -> Variable:
        return drop(x, self.dropout) if self.dropout > 0 else x
