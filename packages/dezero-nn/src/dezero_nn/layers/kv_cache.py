"""Define `KVCache`, which stores the keys and values of earlier positions while sampling."""

from __future__ import annotations

from typing import Any

from dezero_core import Config
from dezero_core.arguments import as_integer
from dezero_core.errors import ArgumentError, GraphError, ShapeError
from dezero_core.extend import Array, backend_of, unwrap
from dezero_core.hints import hinted
from dezero_core.state import require_no_recording
from dezero_core.variable import AnyArray

from ..identity import WeakIdentityDict
from .layer import Layer


class KVCache:
    """Store the keys and values that attention layers have computed for earlier positions.

    A model that samples a sequence then computes each position only once: pass the cache and only
    the new tokens to the model, inside ``no_grad()``. The position of the first new token is
    ``cache.filled``, read before the layers run. `MultiHeadAttention` takes the cache as an
    argument.

    Args:
        length: the largest number of positions.
    """

    @hinted
    def __init__(self, length: int) -> None:
        self.length = as_integer("KVCache", "length", length, 1)
        self.reset()

    def __repr__(self) -> str:
        return f"KVCache({self.length}; {self.filled} filled)"

    def reset(self) -> None:
        """Forget all positions; call this before each new sequence or batch."""
        self._stored: WeakIdentityDict[Layer, tuple[Any, Any, int]] = WeakIdentityDict()

    @property
    def filled(self) -> int:
        """The number of positions that all layers have stored; 0 before the first call."""
        return min([stored[2] for stored in self._stored.values()], default=0)

    def filled_by(self, layer: Layer) -> int:
        """Return the number of positions that ``layer`` has stored."""
        return self._stored[layer][2] if layer in self._stored else 0

    def extend(self, layer: Layer, k: AnyArray, v: AnyArray) -> tuple[Array, Array]:
        """Store keys and values of new positions, and return those of all positions so far.

        Args:
            layer: the layer that calls; each layer has its own keys and values.
            k: shape (..., T, D), the keys of T new positions.
            v: shape (..., T, E).

        Returns:
            keys, shape (..., S, D), and values, shape (..., S, E), of S = ``filled_by(layer)``
            positions. These arrays are views of the cache if the array library has views.

        Raises:
            GraphError: the graph is recorded, and would need arrays that later calls change.
            ArgumentError: there are more than ``length`` positions.
            ShapeError: the shapes differ from those of earlier positions, except for T.
            CaptureError: the call is inside a captured step, whose replays would write to the same
                positions each time.
        """
        require_no_recording("KVCache.extend", "call the model outside the captured step")
        if Config.enable_backprop:
            raise GraphError(
                "KVCache: the graph is recorded, and would need arrays that later calls change; "
                "use the cache inside no_grad()"
            )
        new_k, new_v, entry = unwrap(k), unwrap(v), self._stored.get(layer)
        keys, values, start = entry or (self._empty(new_k), self._empty(new_v), 0)
        stop = start + k.shape[-2]
        if stop > self.length:
            raise ArgumentError(
                f"KVCache: {start} positions and {stop - start} new ones; expected at most "
                f"{self.length}; create a longer cache, or drop the positions with reset()"
            )
        keys, values = (
            written(keys, new_k, start, stop),
            written(values, new_v, start, stop),
        )
        self._stored[layer] = keys, values, stop
        return keys[..., :stop, :], values[..., :stop, :]

    def _empty(self, x: Array) -> Array:
        """Return zeros for ``length`` positions of arrays like ``x``."""
        return backend_of(x).zeros((*x.shape[:-2], self.length, x.shape[-1]), x)


def written(stored: Array, x: Array, start: int, stop: int) -> Any:
    """Write ``x`` to positions ``start`` to ``stop`` of ``stored``, or of a copy if necessary."""
    if stored.shape[:-2] != x.shape[:-2] or stored.shape[-1] != x.shape[-1]:
        raise ShapeError(
            f"KVCache: {tuple(x.shape)} for a cache of {tuple(stored.shape)}; expected "
            "the same batch, heads and channels; reset() begins a new batch"
        )
    backend = backend_of(x)
    if "in_place" not in backend.capabilities:
        return backend.xp.concat([stored[..., :start, :], x, stored[..., stop:, :]], axis=-2)
    stored[..., start:stop, :] = x
    return stored
