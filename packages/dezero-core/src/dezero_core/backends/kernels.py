"""Named array functions that a backend may implement faster than their portable definition.

The portable definition says what an op *means*; a kernel is another way to compute the same,
for one backend, held to a declared tolerance. See docs/adr/0002.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..config import Block, Setting
from ..plugins import Catalog, plugins
from .registry import backend_of


def _always(*arguments: Any) -> bool:
    return True


@dataclass(frozen=True)
class Kernel:
    """One implementation of a named op for one backend: a pure function of arrays.

    Attributes:
        op: the name of a `KernelOp`.
        backend: the name of a backend.
        function: takes and returns what the op's signature says.
        supports: called with the same arguments; False hands the call to the next kernel, in
            the end to the portable definition.
        tolerance: how far from the portable definition it may be in float32, as
            ``max|a - b| <= tolerance * max|b|``.
        priority: of several kernels for one op and backend the highest is asked first; two of
            one priority are a clash, and the second is refused.
    """

    op: str
    backend: str
    function: Callable[..., Any]
    supports: Callable[..., bool] = _always
    tolerance: float = 1e-5
    priority: int = 0


def _keys(kernel: Kernel) -> list[tuple[str, str, int]]:
    return [(kernel.op, kernel.backend, kernel.priority)]


_catalog: Catalog[Kernel] = Catalog("dezero_kernels", Kernel, _keys)
_log: Setting[list[tuple[str, str]] | None] = Setting("kernel_log", None)
_logging = _log.entries.get
ops: dict[str, KernelOp] = {}
"""Every op with a declared signature, by name, of the packages loaded so far."""


class KernelOp:
    """A named op with a declared signature; calling it runs the best kernel there is.

    Args:
        name: what kernels register for.
        signature: arguments and results with their shapes, for those who write kernels.
    """

    def __init__(self, name: str, signature: str) -> None:
        self.name, self.signature = name, signature
        self.portable: Callable[..., Any] = self._undefined
        self._candidates: dict[type, list[Kernel]] = {}
        ops[name] = self
        plugins.on_change(self._candidates.clear)

    def define(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: this function, written against the array API, is what the op means."""
        self.portable = function
        return function

    def __call__(self, x: Any, *arguments: Any) -> Any:
        """Run on ``x`` and further arguments, by the kernel for the backend of ``x``.

        ``x`` is an array, or a list of them with something in it.
        """
        candidates = self._candidates.get(type(x))
        if candidates is None:
            candidates = self._candidates_of(x)
        return self._run(candidates, x, *arguments)

    def _run(self, candidates: list[Kernel], x: Any, *arguments: Any) -> Any:
        log = _log.get() if _logging() else None
        for kernel in candidates:
            if kernel.supports(x, *arguments):
                if log is not None:
                    log.append((self.name, f"{kernel.backend}:{kernel.function.__name__}"))
                return kernel.function(x, *arguments)
        if log is not None:
            log.append((self.name, "portable"))
        return self.portable(x, *arguments)

    def _candidates_of(self, x: Any) -> list[Kernel]:
        x = x[0] if isinstance(x, list) else x
        with plugins.lock:  # registering a plugin empties the cache
            if type(x) not in self._candidates:
                self._candidates[type(x)] = kernels_for(self.name, backend_of(x).name)
            return self._candidates[type(x)]

    def _undefined(self, *arguments: Any) -> Any:
        raise NotImplementedError(f"{self.name} {self.signature} has no portable definition")


def kernels_for(op: str, backend: str) -> list[Kernel]:
    """The kernels registered for an op and a backend, first choice first."""
    found = [k for k, _ in _catalog.items() if (k.op, k.backend) == (op, backend)]
    return sorted(found, key=lambda kernel: -kernel.priority)


def all_kernels() -> list[tuple[Kernel, str]]:
    """Every registered kernel with the name of its plugin; of no loaded `ops`: dormant."""
    return _catalog.items()


class kernel_log(Block[list[tuple[str, str]] | None]):
    """Collect ``(op, "backend:function" or "portable")`` for each named op run in the block.

    ``with kernel_log() as ran:`` creates a new list at each entry.
    """

    def __init__(self) -> None:
        super().__init__(_log, None)

    def new_value(self) -> list[tuple[str, str]]:
        return []
