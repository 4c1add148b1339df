"""Test DeZero's ops on the sample inputs of PyTorch's own tests.

Both libraries compute each sample of ``op_db``. In float64 the test compares the values, the
gradients of a weighted sum of the results, and the derivatives of a weighted sum of those
gradients; in the other dtypes, the values. For floating inputs the dtypes must be PyTorch's; for
integers and bools the category of the dtype must be NumPy's.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from sample_table import ROWS, WITHOUT_SAMPLES, Row
from torch.nn.attention import SDPBackend, sdpa_kernel
from translations import SEED

import dezero_core
import dezero_nn
from dezero_core import Variable, grad
from dezero_core import functions as C
from dezero_testing import load_rows

COMPLEX, SPARSE, OUT, IN_PLACE = "complex", "sparse", "out=", "in-place"
TORCH_DTYPE, OPTION = "a dtype only PyTorch has", "an option we do not offer"
REASONS = (COMPLEX, SPARSE, OUT, IN_PLACE, TORCH_DTYPE, OPTION)
"""Reasons to skip a sample; the last for at most a twentieth of a row's samples."""

DTYPES = {
    torch.float64: 1e-8,
    torch.float32: 2e-5,
    torch.float16: 4e-3,
    torch.int64: 2e-5,
    torch.uint8: 2e-5,
    torch.bool: 2e-5,
}
"""The dtypes of the inputs, with the tolerance relative to the largest element.

PyTorch computes in float32 if integers give floating results.
"""


ATTENTION = SDPBackend.MATH, SDPBackend.FLASH_ATTENTION
"""PyTorch's kernels of attention on the CPU: only the first has second derivatives, only the other
computes half precision in float32."""

MANY = 200
"""A function with more samples runs on every tenth of them in the other dtypes than float64."""

torch.set_num_threads(1)  # the samples are small


class NotApplicable(Exception):
    """Raised to skip a sample, for one of `REASONS`."""


@cache
def op_db() -> dict[str, Any]:
    """Return PyTorch's ops with their samples by name, and by name/variant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {f"{op.name}/{op.variant_test_name}".rstrip("/"): op for op in op_db}


def as_ours(value: Any, variables: dict[int, Variable], dtype: torch.dtype) -> Any:
    """Convert an argument of a sample; the same tensor becomes the same Variable."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            raise NotApplicable(SPARSE)
        if value.dtype != dtype:
            is_scalar = value.ndim == 0 and value.dtype.is_floating_point
            return value.item() if is_scalar else as_array(value)  # promotes weakly
        return variables.setdefault(id(value), Variable(as_array(value)))
    if isinstance(value, list | tuple):
        return type(value)(as_ours(v, variables, dtype) for v in value)
    if isinstance(value, torch.dtype):
        return as_dtype(value)
    if isinstance(value, complex):
        raise NotApplicable(COMPLEX)
    return value


def as_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    if dtype.is_complex:
        raise NotApplicable(COMPLEX)
    try:
        return torch.empty(0, dtype=dtype).numpy().dtype
    except TypeError:
        raise NotApplicable(TORCH_DTYPE) from None


def as_array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    as_dtype(tensor.dtype)
    return tensor.detach().numpy(force=True).copy()


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list | tuple) else [result]


def require_equal(what: str, ours: Any, theirs: Any, tolerance: float, exact: bool) -> None:
    """Raise AssertionError unless shape, dtype and values agree."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, PyTorch {theirs.shape}"
    if not exact and ours.dtype.kind in "iuf" and theirs.dtype.kind in "iu":
        ours = as_integers(ours, theirs.dtype)
    alike = ours.dtype == theirs.dtype if exact else ours.dtype.kind == theirs.dtype.kind
    assert alike, f"{what}: dtype {ours.dtype}, PyTorch {theirs.dtype}"
    tolerance = max(tolerance, 4e-3) if ours.dtype == "float16" else tolerance
    a, b = ours.astype("float64"), theirs.astype("float64")
    scale = max(1.0, np.max(np.abs(b[np.isfinite(b)]), initial=0.0))
    close = np.isclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
    assert close.all(), f"{what}: {a[~close][:4]}, PyTorch {b[~close][:4]}"


def as_integers(x: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return ``x`` in PyTorch's integer dtype, truncated and with its overflow.

    NumPy sums small integers in larger ones, and layers compute in floating point (ADR 0015).
    """
    if x.dtype.kind == "f":
        x = np.nan_to_num(np.trunc(x * (1 + 1e-9)), posinf=0, neginf=0)
    return x.astype("int64").astype(dtype)


def weights(x: Any, k: int) -> np.ndarray[Any, Any]:
    """Return fixed weights of the shape and dtype of ``x``."""
    return np.cos(1.0 + k + np.arange(x.size)).reshape(x.shape).astype(x.dtype)


def check_sample(row: Row, op: Any, sample: Any, dtype: torch.dtype) -> None:
    """Compare one sample with PyTorch.

    Raises:
        NotApplicable: the sample does not apply to DeZero.
        AssertionError: values, dtypes or derivatives differ.
    """
    if "out" in sample.kwargs:
        raise NotApplicable(OUT)
    tolerance, is_float = DTYPES[dtype], dtype.is_floating_point
    variables: dict[int, Variable] = {}
    given = [as_ours(a, variables, dtype) for a in (sample.input, *sample.args)]
    settings = {k: as_ours(v, variables, dtype) for k, v in sample.kwargs.items()}
    torch.manual_seed(SEED)
    with sdpa_kernel([SDPBackend.MATH] if dtype == torch.float64 else list(ATTENTION)):
        theirs = outputs(op(sample.input, *sample.args, **sample.kwargs))
    ours = outputs(row.call(*given, **settings))
    for k, (y, their) in enumerate(zip(ours, theirs, strict=False)):
        require_equal(f"result {k}", y.data, as_array(their), tolerance, exact=is_float)
    if dtype == torch.float64 and op.supports_autograd:
        tensors = {id(x): x for x in tensors_in((sample.input, sample.args, sample.kwargs))}
        wanted = [i for i in variables if tensors[i].requires_grad]
        pairs = [(variables[i], tensors[i]) for i in wanted]
        check_derivatives(ours, theirs, pairs, tolerance, op.supports_gradgrad)


def tensors_in(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [x for v in value for x in tensors_in(v)] if isinstance(value, list | tuple) else []


def check_derivatives(
    ours: list[Any], theirs: list[Any], pairs: list[tuple[Any, Any]], tolerance: float, twice: bool
) -> None:
    """Compare the gradients of a weighted sum, and those of a weighted sum of the gradients."""
    for order in (1, 2) if twice else (1,):
        both = zip(ours, theirs, strict=False)
        alike = [(y, t) for y, t in both if t is not None and t.requires_grad]
        if not alike or not pairs:
            return
        z = sum(
            (C.sum(C.astype(y * weights(y, k), "float64")) for k, (y, _) in enumerate(alike)), 0.0
        )
        w = sum((t * torch.tensor(weights(y, k))).double().sum() for k, (y, t) in enumerate(alike))
        xs, ts = [x for x, _ in pairs], [t for _, t in pairs]
        gts = torch.autograd.grad(w, ts, create_graph=True, allow_unused=True)
        gxs = grad(z, xs, create_graph=True) if z.requires_grad else [None] * len(xs)
        for k, (x, gx, gt) in enumerate(zip(xs, gxs, gts, strict=True)):
            expected = np.zeros(x.shape) if gt is None else as_array(gt)
            found = np.zeros(x.shape) if gx is None else gx.data
            require_equal(f"derivative {order} by {k}", found, expected, tolerance, exact=True)
        ours = [x * 0.0 if gx is None else gx for x, gx in zip(xs, gxs, strict=True)]
        theirs = list(gts)


def samples(row: Row, op: Any, dtype: torch.dtype) -> list[Any]:
    """Return PyTorch's samples, always the same ones."""
    torch.manual_seed(SEED)
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    found = op.sample_inputs("cpu", dtype, requires_grad=dtype.is_floating_point)
    chosen = [s for s in found if row.only(s.kwargs)]
    return chosen[::10] if len(chosen) > MANY and dtype != torch.float64 else chosen


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.filterwarnings("ignore")  # divisions by zero, logarithms of it
def test_samples(row: Row, sample_counts: Any) -> None:
    op = op_db()[row.entry]
    counts, wrong = Counter[str](), []
    for dtype in DTYPES:
        if str(dtype).removeprefix("torch.") in row.skips:
            continue
        for number, sample in enumerate(samples(row, op, dtype) if dtype in op.dtypes else ()):
            try:
                check_sample(row, op, sample, dtype)
                counts["agree"] += 1
            except NotApplicable as reason:
                counts[str(reason)] += 1
            except Exception as error:
                counts["wrong"] += 1
                text = " ".join(str(error).split())[:300]
                wrong.append(f"{dtype} sample {number}: {type(error).__name__}: {text}")
    sample_counts(row.name, counts)
    assert counts["agree"] > 0, "no sample agrees"
    assert counts.keys() <= {"agree", "wrong", *REASONS}
    assert not wrong, f"{len(wrong)} of {counts.total()}:\n" + "\n".join(wrong[:20])
    assert 20 * counts[OPTION] <= counts.total(), f"more than a twentieth: {OPTION}"


def test_every_op_of_the_table_is_compared() -> None:
    ours = {case.op for plugin in ("core", "nn") for case in load_rows(plugin)}
    public = {name for module in (dezero_core.functions, dezero_nn.functions)
              for name in module.__all__}  # fmt: skip
    compared = {row.op for row in ROWS}
    assert (ours | public) - compared - WITHOUT_SAMPLES.keys() == set()
    assert not compared & WITHOUT_SAMPLES.keys()
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_a_mistake_in_a_derivative_is_noticed() -> None:
    row = Row("sin", "sin", lambda x: C.sin(x) + 1e-3 * C.sin(x / 1e-3) * 1e-6)
    op = op_db()["sin"]
    (sample,) = samples(row, op, torch.float64)
    with pytest.raises(AssertionError, match="derivative 1"):
        check_sample(row, op, sample, torch.float64)
