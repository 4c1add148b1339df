"""What an array library must offer to be a backend."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..errors import UnsupportedType
from . import portable
from .host import from_host, host_uniform, to_host
from .portable import Pair


class Array(Protocol):
    """An array of any library: what the array API standard gives every array.

    Annotate with it what holds an array of an unknown library. It is a structural type: NumPy's,
    CuPy's or JAX's arrays fit it, and isinstance() is of no use. A `Variable` does not fit;
    ``backward`` gets ``gy: Array | Variable``. Code for one library, such as a NumPy kernel,
    annotates the type of that library, ``numpy.ndarray``.

    Operators return Any, because a library may return a scalar instead of a 0-d array.
    """

    @property
    def dtype(self) -> Any: ...
    @property
    def device(self) -> Any: ...
    @property
    def ndim(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def size(self) -> int: ...
    @property
    def T(self) -> Any: ...
    def to_device(self, device: Any, /) -> Any: ...
    def __dlpack__(self, *, stream: Any = None) -> Any: ...
    def __dlpack_device__(self) -> tuple[Any, Any]: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def __setitem__(self, index: Any, value: Any, /) -> None: ...
    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __neg__(self) -> Any: ...
    def __pos__(self) -> Any: ...
    def __abs__(self) -> Any: ...
    def __add__(self, x: Any, /) -> Any: ...
    def __radd__(self, x: Any, /) -> Any: ...
    def __sub__(self, x: Any, /) -> Any: ...
    def __rsub__(self, x: Any, /) -> Any: ...
    def __mul__(self, x: Any, /) -> Any: ...
    def __rmul__(self, x: Any, /) -> Any: ...
    def __truediv__(self, x: Any, /) -> Any: ...
    def __rtruediv__(self, x: Any, /) -> Any: ...
    def __floordiv__(self, x: Any, /) -> Any: ...
    def __mod__(self, x: Any, /) -> Any: ...
    def __pow__(self, x: Any, /) -> Any: ...
    def __rpow__(self, x: Any, /) -> Any: ...
    def __matmul__(self, x: Any, /) -> Any: ...
    def __rmatmul__(self, x: Any, /) -> Any: ...
    def __and__(self, x: Any, /) -> Any: ...
    def __or__(self, x: Any, /) -> Any: ...
    def __xor__(self, x: Any, /) -> Any: ...
    def __eq__(self, x: Any, /) -> Any: ...
    def __ne__(self, x: Any, /) -> Any: ...
    def __lt__(self, x: Any, /) -> Any: ...
    def __le__(self, x: Any, /) -> Any: ...
    def __gt__(self, x: Any, /) -> Any: ...
    def __ge__(self, x: Any, /) -> Any: ...


CAPABILITIES = frozenset(
    {"accelerator", "devices", "dlpack", "float64", "in_place", "random", "scatter_add"}
)
"""What a backend may declare, and a library need not have.

``accelerator``: it is what ``to_gpu()`` moves to. ``devices``: there are several, see
`ArrayBackend.devices`. ``dlpack``: arrays go out and come in by DLPack. ``float64``: there is
such a dtype. ``in_place``: arrays may be written to. ``random``: ``uniform`` is the library's
own. ``scatter_add``: an index may name a place many times at no extra cost.
"""


@dataclass(frozen=True)
class BackendSpec:
    """What a plugin registers for an array library, without importing the library.

    Attributes:
        name: what users say in ``to(name)`` and ``--backend name``.
        array_types: ``"module:Class"`` of the types it owns, as their ``__module__`` and
            ``__qualname__`` say; a subclass of one of them belongs to it too.
        factory: returns the `ArrayBackend`; called at first use.
        capabilities: what it can do, of `CAPABILITIES`.
    """

    name: str
    array_types: tuple[str, ...]
    factory: Callable[[], ArrayBackend]
    capabilities: frozenset[str] = frozenset({"float64", "scatter_add"})


class Memory(NamedTuple):
    """Bytes of a device's memory.

    Attributes:
        used: in arrays.
        cached: not in arrays, but kept for new ones by the library.
        free: what nobody has.
        total: of the device.
    """

    used: int
    cached: int
    free: int
    total: int

    def __str__(self) -> str:
        parts = zip(self, ("used", "kept for new arrays", "free", "in all"), strict=True)
        return ", ".join(f"{count / 2**20:,.0f} MiB {what}" for count, what in parts)


class ArrayBackend:
    """An array namespace and a few extras, each with a portable default.

    The namespace follows the array API standard 2024.12; the extras are what the standard
    lacks. A complete plugin for an imaginary library `thin`::

        from dezero_core.extend import ArrayBackend, BackendSpec, hookimpl

        DEZERO_API = 1

        def make_backend():
            import thin                     # late: the plugin itself imports cheaply
            return ArrayBackend(thin)

        @hookimpl
        def dezero_backends():
            return [BackendSpec("thin", ("thin:Array",), make_backend)]

    with, in its pyproject.toml::

        [project.entry-points.dezero]
        thin = "dezero_thin"

    Args:
        xp: the array namespace.

    Attributes:
        name, capabilities: as in the `BackendSpec` it was registered with.
        on_device: a context manager that makes the device of an array the current one, for
            libraries that compute on a current device; None where arrays know their place.
    """

    name: str
    on_device: Callable[[Array], AbstractContextManager[object]] | None = None

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.capabilities: frozenset[str] = frozenset()

    def asarray(self, x: Any) -> Array:
        """Return a Python scalar or list, or a scalar or array of this library, as an array."""
        return self.xp.asarray(x)

    def is_plain(self, array_type: type) -> bool:
        """Return whether arrays of exactly this class follow the array API standard."""
        return True

    def admit(self, x: Array) -> Array:
        """Return ``x`` as Variables hold it: a plain array of booleans, integers or real numbers.

        Every array from outside is admitted once; docs/adr/0015 has the rules.

        Raises:
            UnsupportedType: ``x`` holds something else, such as complex numbers.
        """
        if not self.xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
            raise unsupported_dtype(x.dtype)
        return x

    def from_numpy(self, x: Any) -> Array:
        """A host array as an array of this library; always a copy."""
        return from_host(self.xp, x)

    def to_numpy(self, x: Array) -> Any:
        """An array of this library as a host array; always a copy."""
        return to_host(x)

    def scalar_like(self, x: Any, y: Array) -> Array:
        """A Python scalar as a 0-d array beside ``y``, of a dtype that leaves ``y``'s alone."""
        return self.xp.asarray(x, dtype=self.xp.result_type(y.dtype, x), device=y.device)

    def arange(self, n: int, y: Array) -> Array:
        """Return 0 ... n - 1 in the default integer dtype, on the device of ``y``."""
        return self.xp.arange(n, device=y.device)

    def zeros(self, shape: tuple[int, ...], y: Array) -> Array:
        """Zeros in the dtype of ``y``, beside it."""
        return self.xp.zeros(shape, dtype=y.dtype, device=y.device)

    def dtype(self, name: str) -> Any:
        """The dtype called ``name``, such as ``"float32"``."""
        return getattr(self.xp, name)

    def device(self, x: Array) -> Any:
        """The device ``x`` lives on."""
        return x.device

    def devices(self) -> list[Any]:
        """The devices of this library; called where ``devices`` is declared."""
        return list(self.xp.__array_namespace_info__().devices())

    def to_device(self, x: Array, device: Any) -> Array:
        """``x`` on a device of this library; called where ``devices`` is declared."""
        return x.to_device(device)

    def is_view(self, x: Array) -> bool:
        """Whether ``x`` may share memory with another array; True when nobody can tell."""
        return True

    def copy(self, x: Array) -> Array:
        """``x`` in a new array; replaced where a library's ``+x`` is ``x`` itself."""
        return +x

    def iadd(self, x: Array, y: Array) -> Array:
        """``x + y``, written into ``x`` where the library allows it; use what is returned."""
        if "in_place" in self.capabilities:
            x += y
            return x
        return x + y

    def get_item(self, x: Array, index: Any) -> Array:
        """``x[index]`` by NumPy's rules; arrays in ``index`` are of this library."""
        return portable.get_item(self.xp, x, index)

    def sum(self, x: Array, axis: Any, keepdims: bool, dtype: Any = None) -> Array:
        """Return the sum of floating-point ``x`` over ``axis``, added in ``dtype``.

        The error must not grow with the number of terms, whichever axes are summed. Override this
        method if the library adds the terms one after the other.
        """
        return self.xp.sum(x, axis=axis, keepdims=keepdims, dtype=dtype)

    def scatter_add(self, x: Array, index: Any, values: Array) -> Array:
        """``x`` with ``values`` added at ``x[index]``; use what is returned.

        Written into ``x`` where the library allows it. What ``index`` names several times gets
        the sum; ``values`` has the shape of ``x[index]``.
        """
        return portable.scatter_add(self.xp, x, index, values)

    def pad(self, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        """``x`` with ``value`` before and after it: one pair (before, after) for each axis."""
        return portable.pad(self.xp, x, widths, value)

    def sliding_windows(self, x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
        """Windows over the last two axes, (..., H, W) to (..., KH, KW, OH, OW); read only.

        ``stride`` is between windows, ``dilation`` between the elements of one.
        """
        return portable.sliding_windows(self.xp, x, kernel, stride, dilation)

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Random numbers from [0, 1), drawn from DeZero's generator (see `seed`)."""
        return self.xp.astype(self.from_numpy(host_uniform(shape)), dtype)

    def bernoulli(self, p: float, x: Array) -> Array:
        """Random bools in the shape of ``x``, beside it: true with probability ``p``."""
        return self.uniform(tuple(x.shape), self.dtype("float32")) < p

    def memory(self) -> Memory | None:
        """How full the device is; None where nobody can tell, or it is the host's."""
        return None

    def empty_cache(self) -> None:
        """Give back what the library keeps for new arrays; nothing to do where it keeps none."""

    def device_count(self) -> int:
        """How many devices the library sees."""
        return 1

    def synchronize(self) -> None:
        """Wait until everything asked of the device is done; nothing to do on the host."""


def unsupported_dtype(dtype: Any) -> UnsupportedType:
    """Return the error for an array whose elements are not booleans, integers or real numbers."""
    name = str(dtype)
    if "complex" in name:
        remedy = "no gradients are defined for them; compute on the real and imaginary parts"
    elif "float" in name:
        remedy = 'convert them first with astype("float32")'
    else:
        remedy = "convert them to an array of numbers first"
    return UnsupportedType(
        f"arrays of {name} are not supported: expected booleans, integers or real numbers; {remedy}"
    )
