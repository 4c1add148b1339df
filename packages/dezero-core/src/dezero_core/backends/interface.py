"""The interface of a backend: an array library that Variables can hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from ..errors import UnsupportedType
from . import portable
from .host import from_host, host_uniform, to_host
from .portable import Pair

Other: TypeAlias = Any
"""The other operand of an operator of an array; libraries differ in the types they take."""


class Array(Protocol):
    """An array of any library, for type checkers: the attributes and operators of the standard.

    Annotate with it a parameter that may be an array of any library. Arrays of NumPy, CuPy and
    others fit by their attributes; do not use isinstance(). A `Variable` is not an Array: a
    ``backward`` has ``gy: Array | Variable``. Code for one library, such as a NumPy kernel,
    annotates the class of that library, ``numpy.ndarray``.

    Operators return Any, because some libraries return a scalar instead of a 0-d array.
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
    def __add__(self, x: Other, /) -> Any: ...
    def __radd__(self, x: Other, /) -> Any: ...
    def __sub__(self, x: Other, /) -> Any: ...
    def __rsub__(self, x: Other, /) -> Any: ...
    def __mul__(self, x: Other, /) -> Any: ...
    def __rmul__(self, x: Other, /) -> Any: ...
    def __truediv__(self, x: Other, /) -> Any: ...
    def __rtruediv__(self, x: Other, /) -> Any: ...
    def __floordiv__(self, x: Other, /) -> Any: ...
    def __mod__(self, x: Other, /) -> Any: ...
    def __pow__(self, x: Other, /) -> Any: ...
    def __rpow__(self, x: Other, /) -> Any: ...
    def __matmul__(self, x: Other, /) -> Any: ...
    def __rmatmul__(self, x: Other, /) -> Any: ...
    def __and__(self, x: Other, /) -> Any: ...
    def __or__(self, x: Other, /) -> Any: ...
    def __xor__(self, x: Other, /) -> Any: ...
    def __eq__(self, x: Other, /) -> Any: ...
    def __ne__(self, x: Other, /) -> Any: ...
    def __lt__(self, x: Other, /) -> Any: ...
    def __le__(self, x: Other, /) -> Any: ...
    def __gt__(self, x: Other, /) -> Any: ...
    def __ge__(self, x: Other, /) -> Any: ...


CAPABILITIES = frozenset(
    {"accelerator", "devices", "dlpack", "float64", "in_place", "random", "scatter_add"}
)
"""Optional features that a backend declares.

``accelerator``: ``to_gpu()`` moves to this backend. ``devices``: there are multiple devices, see
`ArrayBackend.devices`. ``dlpack``: arrays are exported and imported by DLPack. ``float64``: this
dtype exists. ``in_place``: arrays may be written to. ``random``: ``uniform`` draws from the
library's own generator. ``scatter_add``: repeated indices cost no more than different ones.
"""


@dataclass(frozen=True)
class BackendSpec:
    """The description of a backend that a plugin registers, without importing the library.

    Attributes:
        name: the name in ``to(name)`` and ``--backend name``.
        array_types: ``"module:Class"`` of its array types, by their ``__module__`` and
            ``__qualname__``; subclasses belong to the backend, too.
        factory: returns the `ArrayBackend`; called at first use.
        capabilities: the features it has, from `CAPABILITIES`.
    """

    name: str
    array_types: tuple[str, ...]
    factory: Callable[[], ArrayBackend]
    capabilities: frozenset[str] = frozenset({"float64", "scatter_add"})


class Memory(NamedTuple):
    """The memory of a device in bytes.

    Attributes:
        used: bytes in arrays.
        cached: bytes that the library keeps for new arrays.
        free: bytes that no process has allocated.
        total: bytes of the device.
    """

    used: int
    cached: int
    free: int
    total: int

    def __str__(self) -> str:
        parts = zip(self, ("used", "kept for new arrays", "free", "in all"), strict=True)
        return ", ".join(f"{count / 2**20:,.0f} MiB {what}" for count, what in parts)


class ArrayBackend:
    """An array namespace, and methods for what the array API standard 2024.12 lacks.

    Each method has a portable default. A complete plugin for an imaginary library `thin`::

        from dezero_core.extend import ArrayBackend, BackendSpec, hookimpl

        DEZERO_API = 1

        def make_backend():
            import thin                     # at first use: importing the plugin is fast
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
        name, capabilities: those of the `BackendSpec` it was registered with.
        on_device: returns a context manager that makes the device of an array the current one,
            for libraries that compute on a current device; None for other libraries.
    """

    name: str
    on_device: Callable[[Array], AbstractContextManager[object]] | None = None

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.capabilities: frozenset[str] = frozenset()

    def asarray(self, x: object) -> Array:
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
        """Copy a host array to an array of this library."""
        return from_host(self.xp, x)

    def to_numpy(self, x: Array) -> Any:
        """Copy an array of this library to a host array."""
        return to_host(x)

    def scalar_like(self, x: complex, y: Array) -> Array:
        """Return a Python scalar as a 0-d array on the device of ``y`` that keeps its dtype.

        The dtype of the result does not promote that of ``y``.
        """
        return self.xp.asarray(x, dtype=self.xp.result_type(y.dtype, x), device=y.device)

    def arange(self, n: int, y: Array) -> Array:
        """Return 0 ... n - 1 in the default integer dtype, on the device of ``y``."""
        return self.xp.arange(n, device=y.device)

    def zeros(self, shape: tuple[int, ...], y: Array) -> Array:
        """Return zeros in the dtype of ``y``, on its device."""
        return self.xp.zeros(shape, dtype=y.dtype, device=y.device)

    def dtype(self, name: str) -> Any:
        """Return the dtype with this name, such as ``"float32"``."""
        return getattr(self.xp, name)

    def device(self, x: Array) -> Any:
        """Return the device of ``x``."""
        return x.device

    def devices(self) -> list[Any]:
        """List the devices of this library; called only if ``devices`` is declared."""
        return list(self.xp.__array_namespace_info__().devices())

    def to_device(self, x: Array, device: object) -> Array:
        """Copy ``x`` to a device of this library; called only if ``devices`` is declared."""
        return x.to_device(device)

    def is_view(self, x: Array) -> bool:
        """Return whether ``x`` may share memory with another array; True if unknown."""
        return True

    def copy(self, x: Array) -> Array:
        """Copy ``x``; override this if ``+x`` of the library returns ``x`` itself."""
        return +x

    def iadd(self, x: Array, y: Array) -> Array:
        """Return ``x + y``, written to ``x`` if the library can write in place."""
        if "in_place" in self.capabilities:
            x += y
            return x
        return x + y

    def get_item(self, x: Array, index: object) -> Array:
        """Return ``x[index]`` by NumPy's rules; arrays in ``index`` are of this library."""
        return portable.get_item(self.xp, x, index)

    def sum(self, x: Array, axis: Any, keepdims: bool, dtype: Any = None) -> Array:
        """Return the sum of floating-point ``x`` over ``axis``, added in ``dtype``.

        The error must not grow with the number of terms, whichever axes are summed. Override this
        method if the library adds the terms one after the other.
        """
        return self.xp.sum(x, axis=axis, keepdims=keepdims, dtype=dtype)

    def scatter_add(self, x: Array, index: object, values: Array) -> Array:
        """Return ``x`` with ``values`` added at ``x[index]``, in place if the library can do so.

        An element that ``index`` selects multiple times gets the sum. ``values`` has the shape of
        ``x[index]``.
        """
        return portable.scatter_add(self.xp, x, index, values)

    def pad(self, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        """Pad ``x`` with ``value``, by one pair of widths (before, after) for each axis."""
        return portable.pad(self.xp, x, widths, value)

    def sliding_windows(self, x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
        """Return windows over the last two axes, (..., H, W) to (..., KH, KW, OH, OW), read only.

        ``stride`` is the distance of windows, ``dilation`` that of the elements of a window.
        """
        return portable.sliding_windows(self.xp, x, kernel, stride, dilation)

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Draw random numbers from [0, 1) with DeZero's generator (see `seed`)."""
        return self.xp.astype(self.from_numpy(host_uniform(shape)), dtype)

    def bernoulli(self, p: float, x: Array) -> Array:
        """Draw booleans in the shape and on the device of ``x``, True with probability ``p``."""
        return self.uniform(tuple(x.shape), self.dtype("float32")) < p

    def memory(self) -> Memory | None:
        """Return the memory of the device; None if it is unknown, or that of the host."""
        return None

    def empty_cache(self) -> None:
        """Free the memory that the library keeps for new arrays; by default it keeps none."""

    def device_count(self) -> int:
        """Return the number of devices."""
        return 1

    def synchronize(self) -> None:
        """Wait until the device has finished; on the host there is nothing to wait for."""


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
