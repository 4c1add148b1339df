"""Test ops of transformers: values at the limits of a dtype, and wrong arguments."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, no_grad
from dezero_core import functions as C
from dezero_core.errors import ArgumentError
from dezero_core.extend import kernel_log, ops
from dezero_nn import functions as F

GATES = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gate", GATES)
def test_gates_are_0_or_x_far_from_0(gate: str, dtype: str) -> None:
    far = np.array([-1e30, -1e6, -800.0, 800.0, 1e6, 1e30]).astype(dtype)
    x = Variable(far)
    with np.errstate(all="raise", under="ignore"):
        y = GATES[gate](x)
        C.sum(y).backward(create_graph=True)
        assert x.grad is not None
        first = x.grad
        x.cleargrad()
        C.sum(first).backward()
    assert np.array_equal(y.data, np.maximum(far, 0))
    assert first.data.tolist() == [0, 0, 0, 1, 1, 1]
    assert x.grad is not None and not x.grad.data.any()


@pytest.mark.parametrize("gate", GATES)
def test_gates_compute_no_derivative_without_a_graph(gate: str) -> None:
    x = Variable(np.linspace(-3, 3, 50, dtype="float32"))
    with no_grad():
        y = GATES[gate](x)
    assert np.array_equal(y.data, GATES[gate](x).data)
    op = ops[gate.split()[0]]
    settings = ("tanh",) if "tanh" in gate else ("none",) if gate == "gelu" else ()
    for compute in (op, op.portable):
        assert compute(x.data, *settings, False)[1] is None


def test_gelu_in_float32_runs_the_kernel_and_in_float64_the_exact_definition() -> None:
    with kernel_log() as ran:
        F.gelu(np.zeros(1, "float32"))
        F.gelu(np.zeros(1))
    assert [run.kernel for run in ran if run.op == "gelu"] == ["numpy:gelu", "portable"]


@pytest.mark.parametrize("approximate", ["erf", None, True])
def test_gelu_refuses_other_approximations(approximate: Any) -> None:
    with pytest.raises(ArgumentError, match="expected 'none' or 'tanh'"):
        F.gelu(np.zeros(1), approximate)
