"""Check that a name is called "the same" only if the examples of PyTorch's documentation run.

An example is every call of the name in PyTorch's docstring. The test runs the docstring's lines in
PyTorch, and repeats each call of the name in DeZero: ``torch.nn.functional`` and ``torch`` are read
as ``dezero.functions``, ``dim`` as ``axis``, and ``keepdim`` as ``keepdims``. It leaves out
calls with complex numbers, which DeZero does not have. Docstrings without a call are left out too:
`test_pytorch_names` checks the example of the table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from pytorch_names import RANDOM, ROWS, Name
from test_pytorch_names import plain

import dezero.functions
from dezero import Variable

MODULES = {"torch": torch, "F": torch.nn.functional, "torch.linalg": torch.linalg}
SAME = [row for row in ROWS if row.status == "same" and row.name.rpartition(".")[0] in MODULES]
KEYWORDS = {"dim": "axis", "keepdim": "keepdims"}


class Recorder:
    """Call a function of PyTorch, and store the calls that come from an example.

    Attributes:
        calls: the arguments, the keyword arguments and the result of each call.
    """

    def __init__(self, function: Callable[..., Any], example: dict[str, Any]) -> None:
        self.function, self.example = function, example
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any], Any]] = []

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        before = convert(args), convert(keywords)
        result = self.function(*args, **keywords)
        if sys._getframe(1).f_globals is self.example:
            self.calls.append((*before, result))
        return result


def convert(value: Any) -> Any:
    """Convert tensors to Variables, dtypes to their names, and keywords such as ``dim``."""
    if isinstance(value, torch.Tensor):
        return value if value.is_complex() else Variable(value.detach().numpy().copy())
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, dict):
        return {KEYWORDS.get(name, name): convert(part) for name, part in value.items()}
    return type(value)(map(convert, value)) if type(value) in (tuple, list) else value


def statements(docstring: str) -> Iterator[str]:
    """Yield the statements of the examples in a docstring."""
    for lines in re.findall(r"^\s*>>> ?(.*(?:\n\s*\.\.\. .*)*)", docstring, re.MULTILINE):
        yield re.sub(r"\n\s*\.\.\. ", "\n", lines)


def recorded_calls(row: Name) -> list[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """Return the calls of one name in its docstring, as PyTorch runs them."""
    module, _, name = row.name.rpartition(".")
    function = getattr(MODULES[module], name)
    example = {"torch": torch, "F": torch.nn.functional, "nn": torch.nn}
    recorder = Recorder(function, example)
    torch.manual_seed(0)
    with patch.object(MODULES[module], name, recorder):
        for statement in statements(function.__doc__ or ""):
            with suppress(Exception):  # a docstring may show an error, or omit a definition
                exec(statement, example)
    return [call for call in recorder.calls if not has_complex(call)]


def has_complex(value: Any) -> bool:
    """Return whether there is a complex tensor in an argument or a result."""
    if isinstance(value, dict):
        return has_complex(list(value.values()))
    if isinstance(value, tuple | list):
        return any(map(has_complex, value))
    return isinstance(value, torch.Tensor) and value.is_complex()


def assert_equal(found: Any, expected: Any, row: Name) -> None:
    """Check that two converted results have equal structures, shapes and values."""
    assert isinstance(found, list) == isinstance(expected, list)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_equal(a, b, row)
        return
    assert np.shape(found) == np.shape(expected)
    if row.name not in RANDOM:
        largest = np.max(np.abs(expected), initial=1, where=np.isfinite(expected))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * largest)


@pytest.mark.parametrize("row", SAME, ids=[row.name for row in SAME])
def test_the_documented_calls_run(row: Name) -> None:
    for args, keywords, result in recorded_calls(row):
        name = row.name.rpartition(".")[2]
        with np.errstate(invalid="ignore"):  # docstrings show the root of negative numbers, nan
            found = getattr(dezero.functions, name)(*args, **keywords)
        assert_equal(plain(found), plain(result), row)


def test_most_names_have_a_documented_call() -> None:
    assert sum(bool(recorded_calls(row)) for row in SAME) > 70
