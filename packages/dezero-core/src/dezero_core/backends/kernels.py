"""Named ops, and the kernels that backends offer for them.

The portable definition of an op says what the op *means*. A kernel computes the same function
another way, for one backend, within a declared tolerance. See docs/adr/0002 and 0023.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from ..config import Block, Setting, exact
from ..plugins import Catalog, plugins
from .registry import backend_of

P = ParamSpec("P")
R = TypeVar("R")

MAX_CHOICES = 1024
"""Sets of shapes and settings per op and array type whose choice of a kernel is cached."""


def _always(*arguments: Any) -> bool:
    return True


@dataclass(frozen=True)
class Kernel:
    """One implementation of a named op for one backend: a pure function of arrays.

    Kernels are asked by descending priority; kernels of one priority must all carry an estimate,
    and of those that support the call the cheapest runs.

    Attributes:
        op: the name of a `KernelOp`.
        backend: the name of a backend.
        function: takes and returns what the op's signature says.
        supports: called with the same arguments. False, or a string that says why not, hands the
            call to the next kernel, and after the last one to the portable definition.
        tolerance: the largest error in float32, as ``max|a - b| <= tolerance * max|b|``, where
            ``b`` is the result of the portable definition. Default 1e-5.
        priority: kernels of a higher priority are asked first. Default 0. A second kernel of one
            priority is refused if it or the first one has no estimate.
        cost: the estimated nanoseconds of one core, called with the same arguments; default
            None: no estimate. With an estimate, ``cost`` and ``supports`` read types, shapes,
            dtypes, settings and `Config.exact` only, because the choice is cached by these; the
            settings are hashable.
    """

    op: str
    backend: str
    function: Callable[..., Any]
    supports: Callable[..., bool | str] = _always
    tolerance: float = 1e-5
    priority: int = 0
    cost: Callable[..., float] | None = None

    @property
    def name(self) -> str:
        """The backend and the function, as in ``numpy:im2col_conv2d``."""
        return f"{self.backend}:{self.function.__name__}"


class KernelRun(NamedTuple):
    """One call of a named op, as `kernel_log` records it.

    Attributes:
        op: the name of the op.
        kernel: the `Kernel.name` of the kernel that ran, or ``"portable"``.
        declined: the kernels that could have run and did not, each with the reason.
        cost: the estimate of the kernel that ran, in nanoseconds of one core, or None.
    """

    op: str
    kernel: str
    declined: tuple[tuple[str, str], ...] = ()
    cost: float | None = None


def _keys(kernel: Kernel) -> list[Hashable]:
    place = kernel.op, kernel.backend, kernel.priority
    return [place] if kernel.cost is None else [(*place, kernel.function), place]


def _clash(one: Kernel, other: Kernel) -> bool:
    return one.cost is None or other.cost is None


_catalog: Catalog[Kernel] = Catalog("dezero_kernels", Kernel, _keys, _clash)
_log: Setting[list[KernelRun] | None] = Setting("kernel_log", None)
_logging = _log.entries.get
ops: dict[str, KernelOp[Any, Any]] = {}
"""Every named op of the packages loaded so far, by name."""


class KernelOp(Generic[P, R]):
    """A named op; calling it runs the best kernel there is. Made by `kernel_op`.

    Attributes:
        name: what kernels register for.
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
        """The parameters and results of the portable definition, as its source spells them."""
        return str(inspect.signature(self.portable)).replace("'", "")

    def __call__(self, *arguments: P.args, **settings: P.kwargs) -> R:
        """Run the op by the best kernel for the backend of the first argument.

        Arguments are positional. The first one is an array, or a nonempty list of arrays.
        """
        first: Any = arguments[0]
        kernels = self._candidates.get(type(first))
        if kernels is None:
            kernels = self._candidates_of(first)
        if _logging() and (log := _log.get()) is not None:
            return self._run_logged(log, kernels, arguments)
        if isinstance(kernels, _ByCost):
            kernels = kernels.choose(arguments)
        for kernel in kernels:
            answer = kernel.supports(*arguments)
            if answer is True or (answer and not isinstance(answer, str)):
                return kernel.function(*arguments)
        return self.portable(*arguments, **settings)

    def estimate(self, *arguments: P.args, **settings: P.kwargs) -> float:
        """Return the estimated nanoseconds of one core of the kernel that would run, else inf."""
        for kernel in _ordered(self._candidates_of(arguments[0]), arguments):
            if _accepts(kernel, arguments):
                return inf if kernel.cost is None else kernel.cost(*arguments)
        return inf

    def _run_logged(self, log: list[KernelRun], kernels: Any, arguments: tuple[Any, ...]) -> Any:
        chosen: Kernel | None = None
        declined: list[tuple[str, str]] = []
        for kernel in _ordered(kernels, arguments):
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
        with plugins.lock:  # registering a plugin empties the cache
            if type(x) not in self._candidates:
                kernels = kernels_for(self.name, backend_of(x).name)
                priorities = {kernel.priority for kernel in kernels}
                compete = len(priorities) < len(kernels)
                self._candidates[type(x)] = _ByCost(kernels) if compete else kernels
            return self._candidates[type(x)]


class _ByCost:
    """The kernels of one op and backend, some of which compete by their estimates."""

    def __init__(self, kernels: list[Kernel]) -> None:
        self.kernels = kernels
        self._chosen: dict[Hashable, list[Kernel]] = {}

    def choose(self, arguments: tuple[Any, ...]) -> list[Kernel]:
        """Return the kernels to ask: those without an estimate, then the cheapest that accepts."""
        sizes = [(a.__class__, a.shape, a.dtype) if hasattr(a, "dtype") else a for a in arguments]
        key = exact.get(), *sizes
        chosen = self._chosen.get(key)
        if chosen is None:
            if len(self._chosen) >= MAX_CHOICES:
                self._chosen.clear()
            chosen = self._chosen[key] = self._choose(arguments)
        return chosen

    def _choose(self, arguments: tuple[Any, ...]) -> list[Kernel]:
        chosen: list[Kernel] = []
        for kernel in _ordered(self, arguments):
            if kernel.cost is None:
                chosen.append(kernel)
            elif _accepts(kernel, arguments):
                return [*chosen, replace(kernel, supports=_always)]
        return chosen


def _accepts(kernel: Kernel, arguments: tuple[Any, ...]) -> bool:
    answer = kernel.supports(*arguments)
    return bool(answer) and not isinstance(answer, str)


def _ordered(kernels: list[Kernel] | _ByCost, arguments: tuple[Any, ...]) -> list[Kernel]:
    """Return the kernels by descending priority; those of one priority by ascending cost."""
    if not isinstance(kernels, _ByCost):
        return kernels
    costs = {k: k.cost(*arguments) if k.cost else 0.0 for k in kernels.kernels}
    return sorted(kernels.kernels, key=lambda kernel: (-kernel.priority, costs[kernel]))


def kernel_op(function: Callable[P, R]) -> KernelOp[P, R]:
    """Make a named op of its portable definition, written against the array API. A decorator.

    The op's name is that of the function without a trailing ``_op``.
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
    """Collect a `KernelRun` for each call of a named op in the block.

    ``with kernel_log() as ran:`` creates a new list at each entry.
    """

    def __init__(self) -> None:
        super().__init__(_log, None)

    def new_value(self) -> list[KernelRun]:
        return []
