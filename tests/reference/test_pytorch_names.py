"""Check each row of the table of PyTorch's names on both libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pytorch_names import RANDOM, ROWS, Name, arrays

import dezero
import dezero.functions
from dezero import Variable
from dezero_core.errors import DezeroError


class TorchFunctions:
    """Look a function up in a module of PyTorch, and then in ``torch``."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        for module in (self.module, torch):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)


def in_torch(row: Name) -> Any:
    """Return the values of a row's example, computed by PyTorch."""
    values = {name: torch.tensor(x) if name != "host" else x for name, x in arrays().items()}
    source = row.example.replace("axis=", "dim=").replace("keepdims=", "keepdim=")
    functions = TorchFunctions(torch.linalg if "linalg" in row.name else torch.nn.functional)
    return plain(eval(source, {"F": functions, **values}))


def in_dezero(source: str) -> Any:
    """Return the values of an expression, computed by DeZero."""
    values = {name: Variable(x) if name != "host" else x for name, x in arrays().items()}
    spaces = {"F": dezero.functions, "np": np, "dezero": dezero, "Variable": Variable}
    return plain(eval(source, {**spaces, **values}))


def plain(result: Any) -> Any:
    """Convert a result of either library to NumPy arrays, in lists for several results."""
    if isinstance(result, tuple | list):
        return [plain(part) for part in result]
    if isinstance(result, torch.Tensor):
        return result.detach().numpy()
    return getattr(result, "data", result) if isinstance(result, Variable) else result


def is_equal(one: Any, other: Any, row: Name) -> bool:
    """Return whether two converted results have equal shapes and values."""
    if isinstance(one, list) or isinstance(other, list):
        return (
            isinstance(one, list)
            and isinstance(other, list)
            and len(one) == len(other)
            and all(is_equal(a, b, row) for a, b in zip(one, other, strict=True))
        )
    if one is None or other is None:
        return one is other
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or row.name in RANDOM:
        return one.shape == other.shape
    return np.allclose(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_row_is_right(row: Name) -> None:
    """The example, or DeZero's own expression, gives PyTorch's values."""
    if row.status == "same":
        assert is_equal(in_dezero(row.example), in_torch(row), row)
    elif row.status == "different":
        assert is_equal(in_dezero(row.ours), in_torch(row), row)
        assert not runs_the_same(row), "the example itself gives equal values: this row is 'same'"
    else:
        in_torch(row)
        assert not runs_the_same(row)


def runs_the_same(row: Name) -> bool:
    """Return whether DeZero runs the example and gives PyTorch's values."""
    try:
        found = in_dezero(row.example)
    except (AttributeError, TypeError, ValueError, IndexError, DezeroError):
        return False
    return is_equal(found, in_torch(row), row)
