"""Compare attention by the stand-in for cuDNN with the portable definition."""

from collections.abc import Iterator
from typing import Any

import cudnn
import numpy as np
import pytest

from dezero_core import Variable, precision
from dezero_core.extend import get_backend, kernel_log
from dezero_cuda import plans

nn = pytest.importorskip("dezero_nn", reason="the ops are dezero-nn's")


@pytest.fixture(autouse=True)
def _plan_again() -> Iterator[None]:
    plans.build_plan.cache_clear()
    yield
    cudnn.declines.clear()
    plans.build_plan.cache_clear()


def arrays(dtype: str = "float32") -> list[np.ndarray]:
    """Return queries, keys and values."""
    random = np.random.default_rng(0)
    shapes = (2, 3, 5, 8), (2, 3, 5, 8), (2, 3, 5, 16)
    return [random.standard_normal(shape).astype(dtype) for shape in shapes]


def attended(backend: str, **settings: Any) -> tuple[list[Any], list[str]]:
    """Return the result and the gradients of attention on a backend, and the kernels that ran."""
    x = [Variable(a).to(backend) for a in arrays()]
    with kernel_log() as ran:
        y = nn.scaled_dot_product_attention(*x, **settings)
        (y * y).sum().backward()
    found = [y, *[v.grad for v in x]]
    kernels = [run.kernel for run in ran if run.op.startswith("attention")]
    return [get_backend(backend).to_numpy(v.data) for v in found], kernels


@pytest.mark.parametrize("causal", [False, True])
def test_bfloat16_attention_and_its_gradients(causal: bool) -> None:
    with precision("bf16"):
        got, kernels = attended("cuda", causal=causal)
    assert kernels == ["cuda:attention_attention", "cuda:attention_attention_grad"]
    expected, _ = attended("numpy", causal=causal)
    for found, wanted in zip(got, expected, strict=True):
        assert found.dtype == np.float32 and found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=0.03 * abs(wanted).max())


def test_a_backward_pass_in_another_precision_reads_the_workspace_of_the_forward_pass() -> None:
    x = [Variable(a).to("cuda") for a in arrays()]
    with precision("bf16"):
        y = nn.scaled_dot_product_attention(*x)
    with kernel_log() as ran, precision("exact"):
        y.sum().backward()
    assert next(run.kernel for run in ran) == "cuda:attention_attention_grad"


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("float32", {}, "the precision"),
        ("bf16", {"mask": np.ones((5, 5), bool)}, "a mask"),
        ("bf16", {"dropout": 0.5}, "dropout"),
    ],
)
def test_cudnn_declines_calls_that_it_does_not_support(
    name: str, settings: dict[str, Any], reason: str
) -> None:
    if "mask" in settings:
        settings = {"mask": get_backend("cuda").from_numpy(settings["mask"])}
    x = [Variable(a).to("cuda") for a in arrays()]
    with kernel_log() as ran, precision(name):
        nn.scaled_dot_product_attention(*x, **settings).sum().backward()
    log = next(run for run in ran if run.op == "attention")
    assert log.declined[0][0] == "cuda:attention_attention" and reason in log.declined[0][1]
    assert not any(run.kernel.startswith("cuda:attention_attention") for run in ran)


def test_cudnn_declines_the_forward_pass_if_the_gradients_have_no_plan() -> None:
    cudnn.declines.append(lambda graph: "no backward" if len(graph.tensors) > 5 else "")
    with precision("bf16"):
        _, kernels = attended("cuda")
    assert not any(kernel.startswith("cuda:attention_attention") for kernel in kernels)
