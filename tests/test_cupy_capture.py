"""Test that the stand-in for CuPy captures and refuses the same calls as a real CuPy.

The recorded answers, ``cupy/capture.json``, are not part of the project; see
tests/test_cupy_facts.py.
"""

from __future__ import annotations

import json
from typing import Any

import cupy
import numpy as np
import pytest
from recorded_cupy import folder, recorder

MISSING = {
    "Event", "ElementwiseKernel", "alloc", "elementwise", "fft", "fused", "raw", "reduction",
    "xp.random.rand", "xp.random.permutation", "memGetInfo",
}  # fmt: skip
"""The stand-in lacks these names, or has them only in another form; DeZero calls none of them."""


def answer(expression: str, names: dict[str, Any]) -> str:
    """Return "captured", or the class of the exception and the first words of its message."""
    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        found = "captured"
        try:
            eval(expression, names)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        try:
            stream.end_capture()
        except cupy.cuda.runtime.CUDARuntimeError:
            found += " | invalidated"
    return found


@pytest.mark.filterwarnings("ignore")  # values are NaN while a stream captures
def test_the_stand_in_captures_what_cupy_captures() -> None:
    recorded = json.loads((folder() / "capture.json").read_text())["calls"]
    inputs, wrong, compared = recorder().inputs, [], 0
    for expression, real in recorded.items():
        if any(name in expression for name in MISSING) or "fails outside" in real:
            continue
        names = {"xp": cupy, "np": np, "rng": cupy.random.default_rng(1), **inputs(cupy)}
        names["e3"] = cupy.eye(3) * 2
        try:
            eval(expression, names)
        except Exception as error:
            wrong.append(f"{expression} fails outside of a capture: {error!r}")
            continue
        compared += 1
        ours = answer(expression, names)
        expected = real.partition(" | ")[0]
        if not (ours == expected or (" | " in real and ours.startswith(expected))):
            wrong.append(f"{expression}: {ours!r}, CuPy {real!r}")
    assert not wrong, "\n".join(wrong)
    assert compared > 330
