"""Test named ops: the portable definition, kernels, the choice among them, and the log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dezero_core.backends import kernels
from dezero_core.backends.kernels import all_kernels
from dezero_core.errors import PluginWarning
from dezero_core.extend import Array, Kernel, get_backend, kernel_log, kernel_op, ops


@pytest.fixture
def double() -> Any:
    @kernel_op
    def double_op(x: Array) -> Array:
        """Return 2 x."""
        return x + x

    yield double_op
    del ops["double"]


def names(ran: Any) -> list[tuple[str, str]]:
    """Return the op and the kernel of each logged call."""
    return [(run.op, run.kernel) for run in ran]


def fast(x: Any) -> Any:
    return x * 2


def faster(x: Any) -> Any:
    return x * 2


def test_without_a_kernel_the_portable_definition_runs(double: Any, backend: str) -> None:
    library = get_backend(backend)
    x = library.from_numpy(np.ones(2))
    with kernel_log() as ran:
        assert np.array_equal(library.to_numpy(double(x)), [2.0, 2.0])
    assert names(ran) == [("double", "portable")]


def test_a_kernel_runs_for_its_backend_only(double: Any, plug: Any) -> None:
    x = np.ones(2)
    double(x)  # the choice made here must be forgotten when a kernel is registered
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", fast)])
    with kernel_log() as ran:
        double(x)
        double(get_backend("strict").from_numpy(x))
    assert names(ran) == [("double", "numpy:fast"), ("double", "portable")]


def test_a_kernel_may_decline_and_priority_decides(double: Any, plug: Any) -> None:
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", fast)])
    large = Kernel("double", "numpy", faster, supports=lambda x: x.size > 2, priority=1)
    plug(dezero_kernels=lambda: [large])
    with kernel_log() as ran:
        double(np.ones(3))
        double(np.ones(2))
    assert names(ran) == [("double", "numpy:faster"), ("double", "numpy:fast")]


def test_two_kernels_of_one_priority_clash(double: Any, plug: Any) -> None:
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", fast)])
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", faster)])
    with (
        pytest.warns(PluginWarning, match="is taken by plugin 'test-plugin-0'"),
        kernel_log() as ran,
    ):
        double(np.ones(1))
    assert names(ran) == [("double", "numpy:fast")]


def test_a_kernel_without_an_op_is_dormant(plug: Any) -> None:
    plug(dezero_kernels=lambda: [Kernel("unheard of", "numpy", fast)])
    assert [k.op for k, _ in all_kernels() if k.op not in ops] == ["unheard of"]


def test_the_signature_and_doc_of_an_op_are_those_of_its_portable_definition(double: Any) -> None:
    assert (double.name, double.signature) == ("double", "(x: Array) -> Array")
    assert double.__doc__ == "Return 2 x." and ops["double"] is double


def costing(number: float, **attributes: Any) -> Kernel:
    """Return a kernel that costs ``number`` nanoseconds per element."""

    def function(x: Any) -> Any:
        return x * 2

    function.__name__ = f"costing_{number}"
    return Kernel("double", "numpy", function, cost=lambda x: number * x.size, **attributes)


def test_the_cheapest_kernel_that_supports_the_call_runs(double: Any, plug: Any) -> None:
    plug(dezero_kernels=lambda: [costing(3), costing(2), costing(9, priority=-1)])
    small = costing(1, supports=lambda x: x.size < 3 or "more than 2 elements")
    plug(dezero_kernels=lambda: [small])
    with kernel_log() as ran:
        for size in (2, 3, 2):
            double(np.ones(size))
    assert [run.kernel for run in ran] == [f"numpy:costing_{n}" for n in (1, 2, 1)]
    assert [run.cost for run in ran] == [2, 6, 2]
    declined = ("numpy:costing_1", "more than 2 elements"), ("numpy:costing_3", "estimated at 9 ns")
    assert ran[1].declined == declined


def test_a_kernel_with_an_estimate_is_asked_at_every_call(double: Any, plug: Any) -> None:
    """Strides, for example, are not part of what the order is cached by."""
    contiguous = costing(1, supports=lambda x: x.flags.c_contiguous)
    plug(dezero_kernels=lambda: [contiguous, costing(2)])
    with kernel_log() as ran:
        for x in (np.ones((2, 3)), np.ones((3, 2)).T, np.ones((2, 3))):
            double(x)
    assert [run.kernel for run in ran] == [f"numpy:costing_{n}" for n in (1, 2, 1)]
    assert double(np.arange(6.0).reshape(3, 2).T).tolist() == [[0, 4, 8], [2, 6, 10]]


def test_an_estimate_is_made_once_for_each_set_of_shapes(double: Any, plug: Any) -> None:
    asked: list[int] = []

    def cost(x: Any) -> float:
        asked.append(x.size)
        return 1.0

    kernels = [Kernel("double", "numpy", function, cost=cost) for function in (fast, faster)]
    plug(dezero_kernels=lambda: kernels)
    for size in (2, 3, 2, 3):
        assert double(np.ones(size)).sum() == 2 * size
    assert asked == [2, 2, 3, 3]


def test_the_cache_of_orders_is_bounded(double: Any, plug: Any) -> None:
    plug(dezero_kernels=lambda: [costing(1), costing(2)])
    for size in range(kernels.MAX_ORDERS + 1):
        double(np.ones(size))
    (candidates,) = double._candidates.values()
    assert len(candidates._orders) <= kernels.MAX_ORDERS


@pytest.mark.parametrize("first", [costing(1), Kernel("double", "numpy", fast)])
def test_a_kernel_without_an_estimate_clashes_with_any_of_its_priority(
    double: Any, plug: Any, first: Kernel
) -> None:
    second = costing(1) if first.cost is None else Kernel("double", "numpy", fast)
    plug(dezero_kernels=lambda: [first])
    plug(dezero_kernels=lambda: [second])
    with pytest.warns(PluginWarning, match="is taken by plugin 'test-plugin-0'"):
        double(np.ones(1))
    assert [kernel for kernel, _ in all_kernels() if kernel.op == "double"] == [first]
