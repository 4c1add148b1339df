"""Named ops: the portable definition, kernels in its place, and which one ran."""

from typing import Any

import numpy as np
import pytest

from dezero_core.errors import PluginWarning
from dezero_core.extend import Kernel, KernelOp, all_kernels, get_backend, kernel_log, ops


@pytest.fixture
def double() -> Any:
    op = KernelOp("double", "(x) -> 2 x")
    op.define(lambda x: x + x)
    yield op
    del ops["double"]


def fast(x: Any) -> Any:
    return x * 2


def faster(x: Any) -> Any:
    return x * 2


def test_without_a_kernel_the_portable_definition_runs(double: Any, backend: str) -> None:
    library = get_backend(backend)
    x = library.from_numpy(np.ones(2))
    with kernel_log() as ran:
        assert np.array_equal(library.to_numpy(double(x)), [2.0, 2.0])
    assert ran == [("double", "portable")]


def test_a_kernel_runs_for_its_backend_only(double: Any, plug: Any) -> None:
    x = np.ones(2)
    double(x)  # chosen once without the kernel: it must be chosen anew
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", fast)])
    with kernel_log() as ran:
        double(x)
        double(get_backend("strict").from_numpy(x))
    assert ran == [("double", "numpy:fast"), ("double", "portable")]


def test_a_kernel_may_decline_and_priority_decides(double: Any, plug: Any) -> None:
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", fast)])
    large = Kernel("double", "numpy", faster, supports=lambda x: x.size > 2, priority=1)
    plug(dezero_kernels=lambda: [large])
    with kernel_log() as ran:
        double(np.ones(3))
        double(np.ones(2))
    assert ran == [("double", "numpy:faster"), ("double", "numpy:fast")]


def test_two_kernels_of_one_priority_clash(double: Any, plug: Any) -> None:
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", fast)])
    plug(dezero_kernels=lambda: [Kernel("double", "numpy", faster)])
    with (
        pytest.warns(PluginWarning, match="is taken by plugin 'test-plugin-0'"),
        kernel_log() as ran,
    ):
        double(np.ones(1))
    assert ran == [("double", "numpy:fast")]


def test_a_kernel_without_an_op_is_dormant(plug: Any) -> None:
    plug(dezero_kernels=lambda: [Kernel("unheard of", "numpy", fast)])
    assert [k.op for k, _ in all_kernels() if k.op not in ops] == ["unheard of"]


def test_an_op_needs_a_definition() -> None:
    op = KernelOp("empty", "(x) -> x")
    with pytest.raises(NotImplementedError, match=r"empty \(x\) -> x"):
        op(np.ones(1))
    del ops["empty"]
