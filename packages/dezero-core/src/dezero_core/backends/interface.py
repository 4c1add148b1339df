"""Define the interface of a backend: an array library whose arrays can be the data of Variables."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from ..errors import ArgumentError, UnsupportedType
from . import portable
from .host import host_uniform, selected_positions, to_host
from .portable import Pair

Other: TypeAlias = Any
"""The type of an array operator's second operand; it differs between libraries."""


class Array(Protocol):
    """Describe an array of any library to type checkers, as the array API standard defines it.

    Annotate a parameter with this protocol if it may be an array of any library; never pass the
    protocol to isinstance(). A `Variable` is not an Array, so ``backward`` is annotated with
    ``gy: Array | Variable``. Code for one library, such as a NumPy kernel, is annotated with the
    class of that library, such as ``numpy.ndarray``.

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
    "accelerator devices dlpack float64 in_place index_errors lazy random scatter_add".split()
)
"""The names of the optional features that a backend can declare.

``accelerator``: ``to_gpu()`` moves arrays to this backend. ``devices``: the library supports
multiple devices, see `ArrayBackend.devices`. ``dlpack``: the library exports and imports arrays
through DLPack. ``float64``: the library has this dtype. ``in_place``: arrays may be written to.
``index_errors``: an index array that is out of range raises an error. ``lazy``: values are computed
when they are read, or not at all while a graph is traced. ``random``: ``uniform`` draws from the
library's own generator. ``scatter_add``: duplicate indices do not slow down `scatter_add`.
"""


@dataclass(frozen=True)
class BackendSpec:
    """Describe a backend, so that a plugin can register it without importing the array library.

    Attributes:
        name: the name in ``to(name)`` and ``--backend name``.
        array_types: the library's array classes as ``"module:Class"``, from ``__module__`` and
            ``__qualname__``; subclasses are included.
        factory: a function that returns the `ArrayBackend`, called at first use.
        capabilities: the optional features of the backend, from `CAPABILITIES`.
    """

    name: str
    array_types: tuple[str, ...]
    factory: Callable[[], ArrayBackend]
    capabilities: frozenset[str] = frozenset({"float64", "scatter_add"})

    def __post_init__(self) -> None:
        """Raise `ArgumentError` for array types that are not a tuple of ``"module:Class"``."""
        types = self.array_types
        if not isinstance(types, tuple) or not all(str(t).count(":") == 1 for t in types):
            raise ArgumentError(
                f"BackendSpec {self.name!r}: array_types is {types!r}; expected a tuple such as "
                '("module:Class",), from __module__ and __qualname__ of each class'
            )
        # accept a set too, although only a frozenset can be hashed
        object.__setattr__(self, "capabilities", frozenset(self.capabilities))


class Memory(NamedTuple):
    """Report the memory of a device in bytes.

    Attributes:
        used: bytes that arrays occupy.
        cached: bytes that the library has allocated for new arrays.
        free: bytes that no process has allocated.
        total: all bytes of the device.
    """

    used: int
    cached: int
    free: int
    total: int

    def __str__(self) -> str:
        parts = zip(self, ("used", "kept for new arrays", "free", "in all"), strict=True)
        return ", ".join(f"{count / 2**20:,.0f} MiB {what}" for count, what in parts)


class ArrayBackend:
    """Wrap an array namespace, and add methods that the array API standard 2024.12 lacks.

    Each method has a portable default implementation. docs/backends.md explains which methods
    to override, and how to register a backend.

    Args:
        xp: the array namespace.

    Attributes:
        name, capabilities: copied from the `BackendSpec`.
        on_device: a function of an array; it returns a context manager that makes the array's
            device the current device. ``on_device`` is None if the library has no current device.
    """

    name: str
    on_device: Callable[[Array], AbstractContextManager[object]] | None = None

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.capabilities: frozenset[str] = frozenset()

    def asarray(self, x: object) -> Array:
        """Convert a Python scalar or list, or a scalar or array of this library, to an array."""
        return self.xp.asarray(x)

    def is_plain(self, array_type: type) -> bool:
        """Return whether arrays of this very class (no subclass) follow the array API standard."""
        return True

    def admit(self, x: Array) -> Array:
        """Check that ``x`` holds booleans, integers or real numbers; return it as a plain array.

        DeZero calls this method once for each array that a program passes to DeZero
        (docs/adr/0015).

        Raises:
            UnsupportedType: the elements of ``x`` have another type, such as complex.
        """
        if not self.xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
            raise unsupported_dtype(x.dtype)
        return x

    def from_numpy(self, x: Any) -> Array:
        """Copy a host array to an array of this library."""
        return self.xp.asarray(x.copy())

    def to_numpy(self, x: Array) -> Any:
        """Copy an array of this library to a host array."""
        return to_host(x)

    def scalar_like(self, x: complex, y: Array) -> Array:
        """Convert a Python scalar to a 0-d array on the device of ``y``.

        The dtype is ``xp.result_type(y.dtype, x)``.
        """
        return self.xp.asarray(x, dtype=self.xp.result_type(y.dtype, x), device=self.device(y))

    def arange(self, n: int, y: Array) -> Array:
        """Return 0 ... n - 1 in the default integer dtype, on the device of ``y``."""
        return self.xp.arange(n, device=self.device(y))

    def zeros(self, shape: tuple[int, ...], y: Array) -> Array:
        """Return zeros with the dtype and on the device of ``y``."""
        return self.xp.zeros(shape, dtype=y.dtype, device=self.device(y))

    def dtype(self, name: str) -> Any:
        """Return the dtype with this name, such as ``"float32"``."""
        return getattr(self.xp, name)

    def device(self, x: Array) -> Any:
        """Return the device of ``x``."""
        return x.device

    def devices(self) -> list[Any]:
        """Return the devices of this library; called only with the capability ``devices``."""
        return list(self.xp.__array_namespace_info__().devices())

    def to_device(self, x: Array, device: object) -> Array:
        """Copy ``x`` to a device of this library; called only with the capability ``devices``."""
        return x.to_device(device)

    def can_read(self, x: Array) -> bool:
        """Return whether reading a value of ``x`` neither fails nor waits for other computations.

        If False, DeZero does not check the range of labels, indices and probabilities. The default
        is True, unless the backend is an ``accelerator`` or ``lazy``.
        """
        return not self.capabilities & {"accelerator", "lazy"}

    def is_view(self, x: Array) -> bool:
        """Return whether ``x`` may share memory with another array; True if unknown."""
        return True

    def copy(self, x: Array) -> Array:
        """Copy ``x``; override this if the library's ``+x`` returns ``x`` itself."""
        return +x

    def iadd(self, x: Array, y: Array) -> Array:
        """Return ``x + y``; write the sum to ``x`` if the library can write in place."""
        if "in_place" in self.capabilities:
            x += y
            return x
        return x + y

    def get_item(self, x: Array, index: object) -> Array:
        """Return ``x[index]`` by NumPy's rules; arrays in ``index`` are of this library."""
        return portable.get_item(self.xp, x, index)

    def integer_index(self, x: Array, index: Any) -> tuple[Array, Any]:
        """Return ``x`` and ``index``; if ``index`` has masks, return both without masks.

        In the second case, ``x`` is flattened, and the new index is an array of integers. Call this
        method in ``get_item`` and ``scatter_add`` if the library has no masks. The values of the
        masks are read.
        """
        parts = index if isinstance(index, tuple) else (index,)
        if not any(portable.is_array(i) and self.xp.isdtype(i.dtype, "bool") for i in parts):
            return x, index
        on_host = tuple(self.to_numpy(i) if portable.is_array(i) else i for i in parts)
        positions = selected_positions(tuple(x.shape), on_host)
        return self.xp.reshape(x, (-1,)), self.from_numpy(positions)

    def sum(self, x: Array, axis: Any, keepdims: bool, dtype: Any = None) -> Array:
        """Return the sum of floating-point ``x`` over ``axis``, accumulated in ``dtype``.

        The rounding error must not grow with the number of terms, whichever axes are summed.
        Override this method if the library adds the terms sequentially.
        """
        return self.xp.sum(x, axis=axis, keepdims=keepdims, dtype=dtype)

    def argsort(self, x: Array, axis: int, stable: bool) -> Array:
        """Return the indices that sort ``x`` upwards; a stable order keeps ties in order."""
        return self.xp.argsort(x, axis=axis, stable=stable)

    def scatter_add(self, x: Array, index: object, values: Array) -> Array:
        """Return ``x`` with ``values`` added at ``x[index]``, in place if the library can do so.

        If ``index`` selects an element multiple times, all values for this element are added.
        ``values`` has the shape of ``x[index]``.
        """
        return portable.scatter_add(self, x, index, values)

    def pad(self, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        """Pad ``x`` with ``value``; ``widths`` has a pair (before, after) for each axis."""
        return portable.pad(self, x, widths, value)

    def sliding_windows(self, x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
        """Return read-only windows over the last two axes: (..., H, W) to (..., KH, KW, OH, OW).

        ``stride`` is the step between windows, ``dilation`` the step between elements in a window.
        """
        return portable.sliding_windows(self.xp, x, kernel, stride, dilation)

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Draw random numbers from [0, 1) with `rank_generator`; see `seed`."""
        return self.xp.astype(self.from_numpy(host_uniform(shape)), dtype)

    def bernoulli(self, p: float, x: Array) -> Array:
        """Draw booleans in the shape and on the device of ``x``, True with probability ``p``."""
        return self.uniform(tuple(x.shape), self.dtype("float32")) < p

    def memory(self) -> Memory | None:
        """Return the memory of the device; None if it is unknown, or if the device is the host."""
        return None

    def empty_cache(self) -> None:
        """Free the memory that the library caches for new arrays; the default does nothing."""

    def device_count(self) -> int:
        """Return the number of devices."""
        return 1

    def settle(self, arrays: list[Array]) -> None:
        """Compute ``arrays`` now or in the background; the default does nothing.

        At the end of each training step of a ``lazy`` backend, ``arrays`` are the parameters,
        buffers, gradients and optimizer states; otherwise their graphs would grow with every step.
        """

    def synchronize(self) -> None:
        """Wait until the device has finished all work; the default does nothing."""


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
