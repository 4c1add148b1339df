"""The example backend for array-api-strict, frozen: its arrays cannot be written to.

``__setitem__``, in-place operators and DLPack raise while `frozen` is in force, which the root
conftest.py sees to for every test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import array_api_strict as xp

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "backends"
sys.path.insert(0, str(EXAMPLES / "dezero-strict"))

from dezero_strict import DEZERO_API, dezero_backends  # noqa: E402

__all__ = ["DEZERO_API", "dezero_backends", "frozen"]


@contextmanager
def frozen() -> Iterator[None]:
    """Refuse writes to arrays, and exports of arrays by DLPack, inside the block."""

    def refuse(name: str) -> Any:
        def refused(self: Any, *arguments: Any) -> Any:
            raise TypeError(f"array-api-strict arrays are frozen here: {name}")

        return refused

    names = "setitem iadd isub imul itruediv ifloordiv imod ipow iand ior ixor imatmul dlpack"
    dunders = [f"__{name}__" for name in names.split()]
    array_type = type(xp.asarray(0.0))
    module = sys.modules[array_type.__module__]
    # The library looks up the dtype of each new array, which takes less time in a set.
    dtypes = frozenset(getattr(module, "_all_dtypes", ()))
    with (
        patch.multiple(array_type, **{name: refuse(name) for name in dunders}),
        patch.object(module, "_all_dtypes", dtypes, create=True),
    ):
        yield
