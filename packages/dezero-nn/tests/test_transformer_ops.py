"""Test ops of transformers: values at the limits of a dtype, and wrong arguments."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, no_grad
from dezero_core import functions as C
from dezero_core.errors import ArgumentError, LabelError, ShapeError
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


@pytest.mark.parametrize("mean", [0.0, 1.9, 3.0, 1e3, -1e5])
def test_layer_norm_keeps_its_digits_far_from_zero(mean: float) -> None:
    draw = np.random.default_rng(0)
    x = (mean + draw.standard_normal((200, 300))).astype("float32")
    gamma, beta, gy = draw.standard_normal((3, 300), dtype="float32")
    exact = F.layer_norm(x.astype("float64"), gamma.astype("float64"), beta.astype("float64"))
    with kernel_log() as ran:
        y = F.layer_norm(x, gamma, beta)
    assert ran[0].kernel == "numpy:layer_norm"
    assert np.max(np.abs(y.data - exact.data)) < 5e-7 * np.max(np.abs(exact.data))

    def gradients(dtype: str) -> list[Any]:
        inputs = [Variable(a.astype(dtype)) for a in (x, gamma, beta)]
        C.sum(F.layer_norm(*inputs) * gy.astype(dtype)).backward()
        return [v.grad.data for v in inputs if v.grad is not None]

    limit = 5e-6 + 1e-7 * abs(mean)  # the stored mean has as many digits as x
    for got, wanted in zip(gradients("float32"), gradients("float64"), strict=True):
        assert np.max(np.abs(got - wanted)) <= limit * np.max(np.abs(wanted))


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_norms_of_equal_elements_are_finite(value: float) -> None:
    x = Variable(np.full((3, 7), value, "float32"))
    y = F.layer_norm(x)
    C.sum(y * y + F.rms_norm(x)).backward()
    assert np.max(np.abs(y.data)) < 1e-3
    assert x.grad is not None and np.isfinite(x.grad.data).all()


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            lambda x: F.rms_norm(x, np.ones(3)),
            r"rms_norm: x \(2, 4\), gamma \(3,\); expected gamma in",
        ),
        (lambda x: F.layer_norm(x, np.ones(4), np.ones(3)), r"gamma \(4,\), beta \(3,\)"),
        (lambda x: F.layer_norm(x, None, np.ones((2, 4, 1))), r"beta \(2, 4, 1\)"),
        (lambda x: F.layer_norm(np.array(1.0)), r"layer_norm: x \(\)"),
    ],
)
def test_norms_refuse_parameters_of_other_shapes(compute: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        compute(np.ones((2, 4)))


@pytest.mark.parametrize("padding", [1, -2])
def test_the_row_of_padding_gets_no_gradient(padding: int) -> None:
    W = Variable(np.arange(6.0).reshape(3, 2))
    y = F.embedding(np.array([0, 1, 1, 0]), W, padding)
    assert np.array_equal(y.data, W.data[[0, 1, 1, 0]])
    C.sum(y).backward()
    assert W.grad is not None and W.grad.data.tolist() == [[2, 2], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("ids", "padding", "error", "message"),
    [
        ([0, 3], None, LabelError, "embedding: id 3 with 3 rows in the table"),
        ([-1, 0], None, LabelError, "embedding: id -1 with 3 rows in the table; ids start at 0"),
        ([0.5], None, LabelError, "ids are integers, got float64"),
        ([0], 3, ArgumentError, "padding_idx 3 with 3 rows"),
        ([0], 1.5, ArgumentError, "padding_idx 1.5"),
    ],
)
def test_embedding_refuses_ids_out_of_range(
    ids: Any, padding: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        F.embedding(np.array(ids), np.ones((3, 2)), padding)


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_of_rows_of_any_size(op: str, dtype: str) -> None:
    """Rows that need no shift, rows that overflow or vanish without it, and infinities."""
    rows = [[1, 2, 3], [1e3, 999, 0], [-1e3, -999, -2e3], [-np.inf, 0, -np.inf], [1e30, -1e30, 0]]
    exact = ops[op].portable(np.array(rows), -1)
    for part in (slice(None), slice(1), slice(1, 2), slice(2, 3), slice(3, 4)):
        with kernel_log() as ran, np.errstate(divide="ignore"):
            y = getattr(F, op)(np.array(rows, dtype)[part], -1)
        assert ran[0].kernel == f"numpy:{op}"
        np.testing.assert_allclose(y.data, exact[part], rtol=1e-6 if dtype == "float32" else 1e-14)
    with np.errstate(invalid="ignore"):
        for undefined in (np.nan, np.inf):
            assert np.isnan(getattr(F, op)(np.array([[undefined, 0]], dtype), 1).data).all()
        assert np.isnan(getattr(F, op)(np.full((1, 2), -np.inf, dtype), 1).data).all()
