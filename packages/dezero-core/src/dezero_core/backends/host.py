"""The host's arrays and random numbers: NumPy, which core depends on anyway.

Data is loaded, initialised, saved and shuffled here; every backend says how an array comes
from here and goes back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

HOST = "numpy"
"""Name of the backend that the host's arrays belong to."""

_own_generator: np.random.Generator | None = None


def seed(n: int) -> None:
    """Start DeZero's own generator from ``n``: all later draws depend on ``n`` alone.

    Until the first call every draw uses NumPy's global generator, so that ``np.random.seed``
    makes a program repeatable.
    """
    global _own_generator
    _own_generator = np.random.default_rng(n)


def generator() -> np.random.Generator:
    """The generator to draw from now; fetch it anew for each draw."""
    own = _own_generator  # read once: another thread may set it back to None
    if own is not None:
        return own
    return np.random.Generator(np.random.get_bit_generator())  # type: ignore[attr-defined]


def own_generator() -> np.random.Generator | None:
    """DeZero's own generator; None before the first `seed`."""
    return _own_generator


def use_generator(own: np.random.Generator | None) -> None:
    """Make ``own`` DeZero's own generator, or draw from NumPy's global one again."""
    global _own_generator
    _own_generator = own


def host_uniform(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Uniform float32 numbers from [0, 1)."""
    return generator().random(shape, dtype=np.float32)


def host_normal(
    shape: tuple[int, ...], scale: float, dtype: str, draw: np.random.Generator | None = None
) -> np.ndarray[Any, Any]:
    """Normal numbers with mean 0 and standard deviation ``scale``, from ``draw`` if it is given."""
    return ((draw or generator()).standard_normal(shape) * scale).astype(dtype)


def from_host(xp: Any, x: Any) -> Any:
    """A host array as an array of namespace ``xp``, copied."""
    return xp.asarray(np.array(x))


def to_host(x: Any) -> np.ndarray[Any, Any]:
    """An array of some library that supports DLPack as a host array, copied."""
    return np.array(np.from_dlpack(x))


def private(x: Any) -> np.ndarray[Any, Any]:
    """Return a copy of a host array, a view or a subclass instance, as a plain array in C order."""
    return np.array(x, order="C", copy=True, subok=False)


def can_cast(x: Any, dtype: str, casting: Any) -> bool:
    """Whether a host array may become one of that dtype, by `numpy.can_cast`'s rules."""
    return np.can_cast(x.dtype, dtype, casting=casting)


def count_nonfinite(x: Any) -> int:
    """How many numbers of a host array are inf or nan."""
    return int(x.size - np.isfinite(x).sum())
