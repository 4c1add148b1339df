"""Define named ops, and run the kernels that plugins register for them.

The portable definition of an op uses the array API only. A kernel computes the same function for
one backend, usually faster, within a declared tolerance. See docs/adr/0002 and 0023.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from ..config import Block, Setting, exact
from ..plugins import Catalog, plugins
from .registry import backend_of

P = ParamSpec("P")
R = TypeVar("R")

MAX_ORDERS = 1024
"""Maximum number of results of sorting kernels by cost that are cached per op and array type."""


@dataclass(frozen=True)
class Kernel:
    """Implement a named op for one backend, as a pure function of arrays.

    Kernels are tried by descending priority. Of those with equal priority that support the call,
    the cheapest runs.

    Attributes:
        op: the name of a `KernelOp`.
        backend: the name of a backend.
        function: a function with the signature of the op.
        supports: a function of the op's arguments that returns whether the kernel can run. If
            ``supports`` returns False, or a string with the reason, the next kernel is tried, and
            after the last kernel the portable definition runs.
        tolerance: the maximum error in float32, as ``max|a - b| <= tolerance * max|b|``, where
            ``b`` is the result of the portable definition. Default 1e-5.
        priority: see above (default 0). If two kernels of equal priority do not both have a
            ``cost``, the one registered second is refused.
        cost: a function of the op's arguments that returns the estimated time in single-core
            nanoseconds; None (default) for no estimate. The order of the kernels by cost is cached,
            so ``cost`` may depend only on `Config.exact`, the shapes and dtypes of the arrays, and
            the other arguments, which must be hashable.
    """

    op: str
    backend: str
    function: Callable[..., Any]
    supports: Callable[..., bool | str] = lambda *arguments: True
    tolerance: float = 1e-5
    priority: int = 0
    cost: Callable[..., float] | None = None

    @property
    def name(self) -> str:
        """Return the names of backend and function, such as ``numpy:im2col_conv2d``."""
        return f"{self.backend}:{self.function.__name__}"


class KernelRun(NamedTuple):
    """Describe one call of a named op, for `kernel_log`.

    Attributes:
        op: the name of the op.
        kernel: the `Kernel.name` of the kernel that ran, or ``"portable"``.
        declined: the kernels that were considered but did not run, as pairs (name, reason).
        cost: the estimated time of the kernel that ran, in single-core nanoseconds, or None.
    """

    op: str
    kernel: str
    declined: tuple[tuple[str, str], ...] = ()
    cost: float | None = None


def _keys(kernel: Kernel) -> list[Hashable]:
    place = kernel.op, kernel.backend, kernel.priority
    return [place] if kernel.cost is None else [(*place, kernel.function), place]


_catalog: Catalog[Kernel] = Catalog(
    "dezero_kernels", Kernel, _keys, lambda one, other: one.cost is None or other.cost is None
)
_log: Setting[list[KernelRun] | None] = Setting("kernel_log", None)
_logging = _log.entries.get
ops: dict[str, KernelOp[Any, Any]] = {}
"""A dictionary from names to the named ops of all packages loaded so far."""


class KernelOp(Generic[P, R]):
    """Represent a named op; calling the object runs the best kernel. `kernel_op` creates `KernelOp`
    objects.

    Attributes:
        name: the name in `Kernel.op`.
        portable: the portable definition.
    """

    def __init__(self, name: str, portable: Callable[P, R]) -> None:
        self.name, self.portable = name, portable
        self.__doc__ = portable.__doc__
        self._candidates: dict[type, list[Kernel] | _ByCost] = {}
        ops[name] = self
        plugins.on_change(self._candidates.clear)

    @property
    def signature(self) -> str:
        """Return the signature of the portable definition as a string."""
        return str(inspect.signature(self.portable)).replace("'", "")

    def __call__(self, *arguments: P.args, **settings: P.kwargs) -> R:
        """Run the best kernel for the backend of the first argument.

        Pass all arguments by position. The first argument is an array or a nonempty list of arrays.
        """
        first: Any = arguments[0]
        kernels = self._candidates.get(type(first))
        if kernels is None:
            kernels = self._candidates_of(first)
        if isinstance(kernels, _ByCost):
            kernels = kernels.order(arguments)
        if _logging() and (log := _log.get()) is not None:
            return self._run_logged(log, kernels, arguments)
        for kernel in kernels:
            answer = kernel.supports(*arguments)
            if answer is True or (answer and not isinstance(answer, str)):
                return kernel.function(*arguments)
        return self.portable(*arguments, **settings)

    def estimate(self, *arguments: P.args, **settings: P.kwargs) -> float:
        """Return the `Kernel.cost` of the kernel that would run; infinity if no cost is known."""
        kernels = self._candidates_of(arguments[0])
        for kernel in kernels.order(arguments) if isinstance(kernels, _ByCost) else kernels:
            answer = kernel.supports(*arguments)
            if answer and not isinstance(answer, str):
                return inf if kernel.cost is None else kernel.cost(*arguments)
        return inf

    def _run_logged(
        self, log: list[KernelRun], kernels: list[Kernel], arguments: tuple[Any, ...]
    ) -> Any:
        chosen: Kernel | None = None
        declined: list[tuple[str, str]] = []
        for kernel in kernels:
            if chosen is not None and kernel.priority < chosen.priority:
                break
            answer = kernel.supports(*arguments)
            if isinstance(answer, str) or not answer:
                declined.append((kernel.name, answer or "does not support this call"))
            elif chosen is None:
                chosen = kernel
            elif kernel.cost is not None:
                declined.append((kernel.name, f"estimated at {kernel.cost(*arguments):.0f} ns"))
        cost = None if chosen is None or chosen.cost is None else chosen.cost(*arguments)
        name = "portable" if chosen is None else chosen.name
        log.append(KernelRun(self.name, name, tuple(declined), cost))
        run: Callable[..., Any] = self.portable if chosen is None else chosen.function
        return run(*arguments)

    def _candidates_of(self, x: Any) -> list[Kernel] | _ByCost:
        x = x[0] if isinstance(x, list) else x
        with plugins.lock:  # registering a plugin clears the cache
            if type(x) not in self._candidates:
                kernels = kernels_for(self.name, backend_of(x).name)
                priorities = {kernel.priority for kernel in kernels}
                compete = len(priorities) < len(kernels)
                self._candidates[type(x)] = _ByCost(kernels) if compete else kernels
            return self._candidates[type(x)]


class _ByCost:
    """Sort the kernels of one op and backend by priority, then by cost."""

    def __init__(self, kernels: list[Kernel]) -> None:
        self._kernels = kernels
        self._orders: dict[Hashable, list[Kernel]] = {}

    def order(self, arguments: tuple[Any, ...]) -> list[Kernel]:
        """Return the kernels by descending priority, and within a priority by ascending cost."""
        sizes = [(a.shape, a.dtype) if hasattr(a, "dtype") else a for a in arguments]
        key = exact.get(), *sizes
        order = self._orders.get(key)
        if order is None:
            if len(self._orders) >= MAX_ORDERS:
                self._orders.clear()
            costs = {k: k.cost(*arguments) if k.cost else 0.0 for k in self._kernels}
            order = sorted(self._kernels, key=lambda kernel: (-kernel.priority, costs[kernel]))
            self._orders[key] = order
        return order


def kernel_op(function: Callable[P, R]) -> KernelOp[P, R]:
    """Turn a portable definition, written with the array API, into a named op; a decorator.

    The name of the op is the name of the function without a trailing ``_op``.
    """
    return KernelOp(function.__name__.removesuffix("_op"), function)


def kernels_for(op: str, backend: str) -> list[Kernel]:
    """Return the kernels registered for an op and a backend, by descending priority."""
    found = [k for k, _ in _catalog.items() if (k.op, k.backend) == (op, backend)]
    return sorted(found, key=lambda kernel: -kernel.priority)


def all_kernels() -> list[tuple[Kernel, str]]:
    """Return every registered kernel with the name of its plugin.

    A kernel whose op is not in `ops` is dormant: no loaded package defines the op.
    """
    return _catalog.items()


class kernel_log(Block[list[KernelRun] | None]):
    """Collect a `KernelRun` for each call of a named op inside a ``with`` block.

    ``with kernel_log() as ran:`` binds ``ran`` to a new list.
    """

    def __init__(self) -> None:
        super().__init__(_log, None)

    def new_value(self) -> list[KernelRun]:
        return []
