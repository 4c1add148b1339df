"""Define Variable: an array with its gradient and the call that computed it.

This module imports no ops: the module `operators` assigns the operators and the methods that
compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, TypeAlias

from .arguments import AxisLike
from .backends.host import HOST
from .backends.interface import Array, ArrayBackend
from .backends.registry import (
    accelerator,
    backend_of,
    by_type,
    default_backend,
    get_backend,
)
from .backends.transfer import move
from .errors import (
    NONE_IS_NO_ARRAY,
    ArgumentError,
    BackendMismatch,
    GraphError,
    MissingName,
    ShapeError,
    UnsupportedType,
)
from .hints import VARIABLE, bind
from .hook_handle import HookHandle, Hooks

Scalar = bool | int | float | complex


class HasDtype(Protocol):
    """The type of any array, including arrays of libraries whose stubs do not match `Array`."""

    @property
    def shape(self) -> Any:
        """The lengths of the axes."""

    @property
    def dtype(self) -> Any:
        """The type of the elements."""


AnyArray: TypeAlias = "Variable | Array"
"""The type of gradients in ``backward``: Variable if ``create_graph`` is True, else array."""
Operand: TypeAlias = "Variable | HasDtype | float"
"""The type of ``y`` in ``x + y``, where ``x`` is a Variable."""
Comparable: TypeAlias = "Operand | list[Any] | tuple[Any, ...] | range"
"""The type of ``y`` in ``x < y``, where ``x`` is a Variable."""
Index: TypeAlias = (
    "SupportsIndex | slice | EllipsisType | HasDtype | list[Any] | tuple[Any, ...] | range | None"
)
"""An index of a Variable, as in ``x[index]``."""
Lengths: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
"""One length or axis, or a sequence of them."""


class Variable:
    """An array with a gradient and a graph (book steps 1-9).

    Args:
        data: an array of any registered library, or None to set it later.
        name: a label for error messages and drawings (default None).
        requires_grad: whether ``backward`` computes a gradient for this Variable (default True).

    Attributes:
        data: the array.
        grad: the gradient, a Variable of the same shape, or None. ``grad`` can be set to a Variable
            or array with the shape, library and device of ``data``, in any dtype.
        name: the label.

    Raises:
        UnsupportedType: ``data`` is not an array (such as a list or a number), or its elements
            are not booleans, integers or real numbers (docs/adr/0015).
    """

    __slots__ = (
        "__weakref__",
        "_assigned",  # the `grad` that the program last assigned; unset before the first assignment
        "_creator",
        "_grad",
        "_hooks",
        "_index",
        "_requires_grad",
        "data",
        "name",
    )
    __array_priority__ = 200
    # so that pandas leaves `Series + Variable` to our operator, which raises a clear error
    __pandas_priority__ = 10_000
    __array_ufunc__ = None  # array + Variable calls our operator

    def __init__(
        self, data: Array | None, name: str | None = None, *, requires_grad: bool = True
    ) -> None:
        if data is not None:
            data = backend_of(data).admit(data)
        self.data: Any = data
        self.name = name
        self._grad: Variable | None = None
        self._hooks: Hooks | None = None  # hooks of a leaf; see `variable_hooks`
        self._requires_grad = requires_grad
        self._creator: Any = None  # the Function that computed this Variable
        self._index: int | None = None  # output index in a call with multiple outputs

    @property
    def grad(self) -> Variable | None:
        """The gradient, a Variable of the shape of ``data``, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Variable | Array | None) -> None:
        if value is not None:
            value = as_variable(value)
            require_gradient_of(self, value)
        self._grad = self._assigned = value

    @property
    def creator(self) -> Any:
        """The Function that computed this Variable; None for a leaf and after unchaining."""
        creator = self._creator
        return None if creator is None or creator._cut else creator

    @property
    def requires_grad(self) -> bool:
        """True if gradients flow to or through this Variable; can be set on leaves only."""
        return self._requires_grad if self._creator is None else not self._creator._cut

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.creator is not None:
            raise GraphError(
                "requires_grad can be set on leaves only, and this Variable was computed by "
                f"{type(self._creator).__name__}; call unchain() first"
            )
        self._creator = self._index = None
        self._requires_grad = bool(value)

    def unchain(self) -> None:
        """Remove this Variable from its graph: it becomes a leaf that does not require grad."""
        self._creator = self._index = None
        self._requires_grad = False

    def cleargrad(self) -> None:
        """Set the gradient to None."""
        self._grad = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of ``data``."""
        try:
            return tuple(self.data.shape)
        except AttributeError:
            raise no_data(self, "shape") from None

    @property
    def ndim(self) -> int:
        """The number of axes of ``data``."""
        try:
            return int(self.data.ndim)
        except AttributeError:
            raise no_data(self, "ndim") from None

    @property
    def size(self) -> int:
        """The number of elements of ``data``."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> Any:
        """The dtype of ``data``."""
        try:
            return self.data.dtype
        except AttributeError:
            raise no_data(self, "dtype") from None

    def detach(self) -> Variable:
        """Return a Variable that shares ``data`` and ``name`` but has no graph and no gradient."""
        return Variable(self.data, self.name, requires_grad=False)

    __hash__ = object.__hash__
    """Hash by identity, because ``==`` is elementwise. No two live objects have the same hash, and
    dictionaries compare identities before they call ``==``, so a Variable can be a key."""

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a Variable without axes")
        return self.shape[0]

    def __contains__(self, value: object) -> bool:
        """Return whether any element equals ``value``, which broadcasts as in NumPy."""
        is_equal = self == value
        return is_equal is not False and bool(get_array_module(self).any(is_equal))

    def __setitem__(self, index: object, value: object) -> None:
        """Raise TypeError, because the graph cannot record an assignment to elements."""
        raise TypeError(
            "x[index] = value would change x behind its graph; write x.data[index] = value, or "
            "compute a new Variable, for example with where()"
        )

    def __repr__(self) -> str:
        return "variable(" + str(self.data).replace("\n", "\n" + " " * 9) + ")"

    def __format__(self, spec: str) -> str:
        """Format the only element as a Python number; an empty ``spec`` gives ``str(x)``."""
        if not spec:
            return str(self)
        return format(self._number(f"format {spec!r}", "write str(x), or format x[0]"), spec)

    if not TYPE_CHECKING:  # if visible, type checkers infer that array + x is an array

        def __array__(self, *settings: Any, **more: Any) -> Any:
            """Return the data as a NumPy array; raise an error if the data is on a device."""
            return self.data.__array__(*settings, **more)

    # Share the array with other libraries, without the graph.

    def __dlpack__(self, **settings: Any) -> Any:
        return self.data.__dlpack__(**settings)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The CUDA array interface of ``data``; raise AttributeError if the data is on the host."""
        return self.data.__cuda_array_interface__

    def numpy(self) -> Any:
        """Return the data as a NumPy array: ``data`` itself on the host, else a copy."""
        backend = backend_of(self.data)
        return self.data if backend.name == HOST else backend.to_numpy(self.data)

    def tolist(self) -> Any:
        """Return the data as nested lists of Python numbers; a 0-d array becomes a number."""
        return self.numpy().tolist()

    def item(self) -> Any:
        """Return the only element as a Python number; this waits for the device.

        Raises:
            ShapeError: the Variable does not have exactly one element.
        """
        return python_number(self._one("item()"))

    def _one(
        self,
        op: str,
        remedy: str = "index it, or reduce it with sum() or mean()",
        error: type[Exception] = ShapeError,
    ) -> Any:
        """Return the only element as a 0-d array."""
        if self.data is None or self.size != 1:
            actual = "no data" if self.data is None else f"shape {self.shape}"
            raise error(f"{op}: expected a Variable of one element, got {actual}; {remedy}")
        return get_array_module(self).reshape(self.data, ())

    def _number(self, op: str, remedy: str) -> Any:
        """Return the only element as a Python number; raise TypeError if ``size`` is not 1."""
        return python_number(self._one(op, remedy, TypeError))

    def __bool__(self) -> bool:
        return bool(self._one("bool()", "ask for (x.data != 0).any() or (x.data != 0).all()"))

    def __int__(self) -> int:
        return int(self._one("int()"))

    def __float__(self) -> float:
        return float(self._one("float()"))

    def __complex__(self) -> complex:
        return complex(self._one("complex()"))

    def __index__(self) -> int:
        """Return a 0-d integer as an int, so that a Variable can be an axis or a length."""
        # Refuse shape (1,): NumPy would treat the Variable as an integer, and array[x] would lose
        # an axis.
        number = None if self.data is None or self.ndim else self.item()
        if type(number) is not int:
            actual = "no data" if self.data is None else f"shape {self.shape}, {self.dtype}"
            raise TypeError(f"index: expected an integer without axes, got {actual}; write int(x)")
        return number

    # Rounding gives a Python number, which has no graph.

    def __round__(self, ndigits: int | None = None) -> Any:
        return round(self._number("round()", "round its data: x.data.round()"), ndigits)

    def __floor__(self) -> int:
        return math.floor(self._number("floor()", "take the floor of x.data"))

    def __ceil__(self) -> int:
        return math.ceil(self._number("ceil()", "take the ceil of x.data"))

    def __trunc__(self) -> int:
        return math.trunc(self._number("trunc()", "take the trunc of x.data"))

    # Move the data and the gradient in place, as in the book (step 52).

    def to(self, name: str) -> Variable:
        """Move data and gradient to backend ``name``; return self."""
        return self._move(get_backend(name))

    def to_cpu(self) -> Variable:
        """Move data and gradient to the host; return self."""
        return self._move(get_backend(HOST))

    def to_gpu(self) -> Variable:
        """Move data and gradient to the registered accelerator; return self."""
        return self._move(accelerator())

    def _move(self, backend: ArrayBackend) -> Variable:
        if self.data is not None:
            self.data = move(self.data, backend)
        if self._grad is not None:
            self._grad._move(backend)
        return self

    def __copy__(self) -> Variable:
        """Return a second Variable with the same array, gradient and position in the graph."""
        x = _rebuild(type(self), self.data, self.name, self._requires_grad, self._grad)
        x._creator, x._index = self._creator, self._index
        x._assigned = getattr(self, "_assigned", None)
        for name, value in getattr(self, "__dict__", {}).items():  # attributes of a subclass
            setattr(x, name, value)
        return x

    def __reduce__(self) -> Any:
        """Copy or pickle the data, gradient and name; a graph cannot be copied."""
        if self.creator is not None:
            raise GraphError(
                f"a Variable computed by {type(self._creator).__name__} cannot be copied or "
                "pickled with its graph; copy as_variable(y.data) instead"
            )
        grad = self._grad
        if grad is not None and grad.creator is not None:
            grad = Variable(grad.data, grad.name, requires_grad=False)
        settings = type(self), self.data, self.name, self.requires_grad, grad
        return _rebuild, settings, getattr(self, "__dict__", None)

    if TYPE_CHECKING:
        # The modules operators.py and numpy_functions.py assign these methods. A test checks that
        # the parameters and defaults here are the same as in the functions.
        def __add__(self, x1: Operand) -> Variable: ...
        def __radd__(self, x0: Operand) -> Variable: ...
        def __divmod__(self, x1: Operand) -> tuple[Variable, Variable]: ...
        def __rdivmod__(self, x0: Operand) -> tuple[Variable, Variable]: ...
        def matmul(self, W: Operand) -> Variable: ...
        def __neg__(self) -> Variable: ...
        def __getitem__(self, index: Index) -> Variable: ...
        def __iter__(self) -> Iterator[Variable]: ...
        def __eq__(self, x1: object) -> Any: ...
        def __lt__(self, x1: Comparable) -> Any: ...
        def clip(self, x_min: Operand | None = None, x_max: Operand | None = None) -> Variable: ...
        def astype(self, dtype: object) -> Variable: ...
        def expand_dims(self, axis: int | Sequence[int]) -> Variable: ...
        def squeeze(self, axis: int | Sequence[int] | None = None) -> Variable: ...
        def flatten(self, start_axis: int = 0, end_axis: int = -1) -> Variable: ...
        def reshape(self, *lengths: Lengths, shape: Lengths | None = None) -> Variable: ...
        def transpose(self, *axes: Lengths | None) -> Variable: ...
        def sum(self, axis: AxisLike = None, keepdims: bool = False) -> Variable: ...
        def argmax(self, axis: int | None = None, keepdims: bool = False) -> Variable: ...
        def var(
            self, axis: AxisLike = None, *, correction: float = 0.0, keepdims: bool = False
        ) -> Variable: ...

        __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = pow = __add__
        __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __radd__
        __rmatmul__ = __radd__
        __matmul__ = dot = matmul
        __pos__ = __abs__ = abs = exp = log = sqrt = tanh = __neg__
        __ne__ = __eq__
        __le__ = __gt__ = __ge__ = __lt__
        mean = max = min = prod = sum
        argmin = argmax
        std = var

        @property
        def T(self) -> Variable: ...
        def backward(
            self,
            retain_grad: bool = False,
            create_graph: bool = False,
            *,
            gradient: Variable | Array | None = None,
            retain_graph: bool | None = None,
        ) -> None: ...
        def register_hook(self, hook: Callable[[Variable], Any]) -> HookHandle: ...
        def unchain_backward(self) -> None: ...
        def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any: ...


bind(VARIABLE, Variable)


class Parameter(Variable):
    """A trainable Variable: layers collect Parameters, optimizers update Parameters (step 44)."""

    __slots__ = ()


class Buffer(Variable):
    """A Variable that is saved and moved with its layer, but not trained.

    Args:
        data, name: as for `Variable`.
        reduce: "mean" if data parallel training averages the array over all processes in each
            update, as for statistics of the examples; None (default) if each process keeps its own.

    Raises:
        ArgumentError: ``reduce`` is neither "mean" nor None.
    """

    __slots__ = ("reduce",)

    def __init__(
        self, data: Array | None, name: str | None = None, *, reduce: str | None = None
    ) -> None:
        if reduce not in (None, "mean"):
            raise ArgumentError(f"Buffer: reduce is {reduce!r}; expected 'mean' or None")
        super().__init__(data, name, requires_grad=False)
        self.reduce = reduce

    def __copy__(self) -> Buffer:
        x: Any = super().__copy__()
        x.reduce = self.reduce
        return x

    def __reduce__(self) -> Any:
        rebuild, settings, attributes = super().__reduce__()
        return rebuild, settings, (attributes, {"reduce": self.reduce})


def _rebuild(
    cls: type[Variable],
    data: Array | None,
    name: str | None,
    requires_grad: bool,
    grad: Variable | None = None,
) -> Variable:
    """Rebuild a Variable from the values that `Variable.__reduce__` returned."""
    x = object.__new__(cls)  # the `__init__` of a subclass may have different parameters
    Variable.__init__(x, data, name, requires_grad=requires_grad)
    x._grad = grad
    return x


def python_number(array: Array) -> bool | int | float:
    """Return a 0-d array as a Python bool, int or float."""
    xp, dtype = get_array_module(array), array.dtype
    if xp.isdtype(dtype, "bool"):
        return bool(array)
    if xp.isdtype(dtype, "integral"):
        return int(array)
    return float(array)


def require_gradient_of(x: Variable, grad: Variable) -> None:
    """Check that ``grad`` has the shape, library and device of ``x``, unless ``x`` has no data.

    Raises:
        ShapeError: the shapes differ.
        BackendMismatch: the libraries or devices differ.
    """
    data, g = x.data, grad.data
    if data is None:
        return
    if g is None or g.shape != data.shape:
        raise ShapeError(
            f"grad{label_of(x)}: got shape {None if g is None else tuple(g.shape)}; the data has "
            f"shape {x.shape}, and a gradient has the shape of its data; reshape, transpose or sum "
            "it first"
        )
    backend, other = backend_of(data), backend_of(g)
    if backend is other and backend.name == HOST:
        return  # NumPy has one device
    if backend is not other or backend.device(data) != other.device(g):
        raise BackendMismatch(
            f"grad{label_of(x)}: got an array of {other.name} on {other.device(g)}; the data is an "
            f"array of {backend.name} on {backend.device(data)}; move the gradient there with "
            f"to({backend.name!r})"
        )


def no_data(x: Variable, name: str) -> MissingName:
    """Return the error for reading the shape or dtype of a Variable whose data is no array."""
    advice = "no data yet; pass the input size to its layer, or run one forward pass first"
    if x.data is not None:
        advice = f"a {type(x.data).__name__} as data; write x.data = array"
    return MissingName(f"{name}{label_of(x)}: this {type(x).__name__} has {advice}")


def label_of(x: Variable) -> str:
    """Return the name of a Variable for a message; an empty string if there is no name."""
    return f" of {x.name!r}" if x.name else ""


def unwrap(x: object) -> Any:
    """Return the array in a Variable; return anything else unchanged."""
    return x.data if isinstance(x, Variable) else x


def as_array(x: object, array_module: Any = None) -> Any:
    """Return a Python scalar as a 0-d array; return anything else unchanged (steps 9 and 52).

    Args:
        x: anything.
        array_module: the namespace that creates the array; if None, the default backend's
            namespace.
    """
    if isinstance(x, Scalar):
        return (array_module or default_backend()).asarray(x)
    return x


def cast(x: Array, dtype: Any) -> Any:
    """Cast an array, or a scalar that an array library returned, to an array of ``dtype``."""
    backend = backend_of(x)
    return backend.xp.astype(backend.asarray(x), dtype)


def as_variable(x: object) -> Variable:
    """Return ``x`` if it is a Variable, else wrap it in a Variable that does not require grad.

    Raises:
        UnsupportedType: ``x`` is not a Variable, an array or a Python scalar.
    """
    if isinstance(x, Variable):
        return x
    if x is None:  # Variable(None) is a parameter that has no data yet
        raise UnsupportedType(NONE_IS_NO_ARRAY)
    return Variable(as_array(x), requires_grad=False)


HOST_MEMORY = 1
"""DLPack's device type for the host, kDLCPU."""


def from_dlpack(x: Any) -> Variable:
    """Return a Variable that shares the memory of another library's array.

    Args:
        x: anything with ``__dlpack__``, such as a tensor of PyTorch. Host data becomes a NumPy
            array; device data becomes an array of the registered accelerator.

    Returns:
        a Variable that does not require grad.

    Raises:
        UnsupportedType: ``x`` has no ``__dlpack__``.
        MissingPackage, DeviceError: ``x`` is on a device, and there is no accelerator.
    """
    if not hasattr(x, "__dlpack_device__"):
        raise UnsupportedType(f"from_dlpack: {type(x).__name__} has no __dlpack__")
    on_host = int(x.__dlpack_device__()[0]) == HOST_MEMORY
    backend = get_backend(HOST) if on_host else accelerator()
    return Variable(backend.xp.from_dlpack(x), requires_grad=False)


def get_array_module(x: object) -> Any:
    """Return the namespace that computes on ``x``: ``numpy``, ``cupy``, ... (book step 52).

    Args:
        x: a Variable or an array; for a Python scalar, the default backend's namespace is returned.
    """
    array: Any = x.data if isinstance(x, Variable) else x
    backend = by_type.get(type(array))
    if backend is None:
        backend = default_backend() if isinstance(array, Scalar) else backend_of(array)
    return backend.xp
