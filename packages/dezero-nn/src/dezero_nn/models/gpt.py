"""Define `GPT`, the language model GPT-2."""

from __future__ import annotations

from functools import partial

from dezero_core import Variable, as_variable, no_grad, test_mode
from dezero_core.arguments import as_integer, as_number
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.functions import concat, matmul, transpose
from dezero_core.functions import max as largest
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from ..functions import dropout as drop
from ..functions import gelu, multinomial, softmax
from ..functions.dropout import require_ratio
from ..layers import EmbedID, KVCache, LayerNorm, TransformerBlock
from ..layers.training import without_flags
from .model import Model

INITIAL_DEVIATION = 0.02
"""Standard deviation of the initial embeddings of tokens and positions, as in GPT (2018)."""


class GPT(Model):
    """Score each token of a vocabulary as the next one, at every position of a sequence.

    Radford et al., "Language Models are Unsupervised Multitask Learners", 2019 (GPT-2): learned
    position embeddings, layer normalisation before each attention and feed-forward layer, the tanh
    form of gelu, and an output layer that shares its weights with the token embedding.

    Args:
        vocab_size: number of different tokens, V.
        length: largest number of positions.
        channels: length of the embedding of a token, C (default 128).
        heads: number of heads of each attention; divides C (default 4).
        blocks: number of blocks (default 3).
        dropout: in training, probability of dropping an element of the embeddings, a weight of an
            attention, or an element that a block adds to its input (default 0).

    Attributes:
        tokens, positions: `EmbedID` layers, with weights of shape (V, C) and (length, C).
        blocks: a list of `TransformerBlock`.
        norm: the `LayerNorm` after the last block.

    Raises:
        ArgumentError: a size is below 1, ``heads`` does not divide ``channels``, or ``dropout`` is
            not in [0, 1).
    """

    def __init__(
        self,
        vocab_size: int,
        length: int,
        channels: int = 128,
        heads: int = 4,
        blocks: int = 3,
        dropout: float = 0.0,
    ) -> None:
        sizes = {"vocab_size": vocab_size, "length": length, "channels": channels}
        sizes |= {"heads": heads, "blocks": blocks}
        for name, size in sizes.items():
            as_integer("GPT", name, size, 1)
        if channels % heads:
            raise ArgumentError(
                f"GPT: heads {heads} and channels {channels}; expected channels that are divisible "
                "by heads; choose another number"
            )
        require_ratio("GPT", dropout, "dropout")
        self.dropout = dropout
        self.length = length
        self.tokens, self.positions = EmbedID(vocab_size, channels), EmbedID(length, channels)
        for table in (self.tokens.W, self.positions.W):
            table.data = table.data * INITIAL_DEVIATION
        activation = partial(gelu, approximate="tanh")
        self.blocks = [
            TransformerBlock(
                heads, size=channels, activation=activation, causal=True, dropout=dropout
            )
            for _ in range(blocks)
        ]
        self.norm = LayerNorm(channels)

    def forward(self, ids: Operand, cache: KVCache | None = None) -> Variable:
        """Return the scores (logits) of the token after each position, shape (B, T, V).

        Args:
            ids: token ids, integers (B, T).
            cache: keys and values of the positions before ``ids``, or None (default).

        Raises:
            ShapeError: ``ids`` do not have two axes.
            ArgumentError: there are more than ``length`` positions.
            LabelError: an id is not in [0, V).
        """
        ids, start = as_variable(ids), cache.filled if cache else 0
        if ids.ndim != 2:
            raise ShapeError(f"GPT: ids {ids.shape}; expected two axes (B, T)")
        stop = start + ids.shape[1]
        if stop > self.length:
            raise ArgumentError(
                f"GPT: {stop} positions; expected at most {self.length}; shorten the sequences, or "
                "create the model with a larger length"
            )
        x = self.tokens(ids) + self.positions.W[start:stop]
        if self.dropout:
            x = drop(x, self.dropout)
        for block in self.blocks:
            x = block(x, cache=cache)
        return matmul(self.norm(x), transpose(self.tokens.W))

    @hinted
    def generate(self, ids: Operand, count: int, temperature: float = 1.0) -> Variable:
        """Draw tokens that continue sequences, one after the other, without dropout.

        The scores depend on at most ``length`` earlier tokens. When there are more, the model goes
        on with the later half of these.

        Args:
            ids: the first tokens, integers (B, T) with T at least 1.
            count: number of tokens to draw.
            temperature: divisor of the scores (default 1). Below 1, probable tokens become more
                probable. A number below 1e-6 has the effect of 1e-6.

        Returns:
            integers (B, T + count), the first tokens and those drawn.

        Raises:
            ShapeError: ``ids`` do not have two axes, or T is 0.
            ArgumentError: ``count`` is negative, or ``temperature`` is not above 0.
            LabelError: an id is not in [0, V).
        """
        count = as_integer("GPT.generate", "count", count, 0)
        temperature = as_number("GPT.generate", "temperature", temperature)
        if not temperature > 0:
            raise ArgumentError(f"GPT.generate: temperature {temperature}; expected above 0")
        ids = as_variable(ids)
        if ids.ndim != 2 or ids.shape[1] == 0:
            raise ShapeError(f"GPT.generate: ids {ids.shape}; expected (B, T) with T >= 1")
        with no_grad(), test_mode(), without_flags():
            cache, new = KVCache(self.length), last_positions(ids, self.length)
            for _ in range(count):
                if cache.filled + new.shape[1] > self.length:
                    cache.reset()
                    new = last_positions(ids, (self.length + 1) // 2)
                scores = self(new, cache)[:, -1]
                scores = (scores - largest(scores, -1, keepdims=True)) / max(temperature, 1e-6)
                new = multinomial(softmax(scores, axis=-1))
                ids = concat([ids, new], axis=1)
        return ids


def last_positions(ids: Variable, count: int) -> Variable:
    """Return the last ``count`` positions of sequences, or all positions if there are fewer."""
    return ids[:, max(ids.shape[1] - count, 0) :]
