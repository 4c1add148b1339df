"""Test that the stand-in for CuPy returns the recorded results of a real CuPy.

The recorded results are not part of the project: ``cupy/facts.json`` and the script that
recorded them, ``record.py``, are read from the folder DEZERO_DATA or from ``../shared/data``
beside the project. The test compares type, shape, dtype, memory order, shared memory, the class
of an error, and values to the precision of their dtype.
"""

from __future__ import annotations

import cmath
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy
import pytest
from recorded_cupy import folder, recorder

HERE = Path(__file__).parent
ALLOWED: dict[str, str] = json.loads((HERE / "cupy_facts_allowed.json").read_text())

TOLERANCE = {"float16": 1e-3, "float32": 2e-6, "complex64": 2e-6}
"""Relative; 1e-12 for the other dtypes. The recorded values are rounded to five digits."""


def agrees(ours: Any, real: Any) -> bool:
    """Return whether two descriptions are equal, numbers to the precision of their dtype."""
    if isinstance(real, dict) and isinstance(ours, dict) and "values" in real:
        tolerance = TOLERANCE.get(real["dtype"], 1e-12)
        values = ours.get("values", ())
        return {**ours, "values": 0} == {**real, "values": 0} and all(
            is_close(a, b, tolerance) for a, b in zip(values, real["values"], strict=True)
        )
    if isinstance(real, dict) and isinstance(ours, dict):
        return ours.keys() == real.keys() and all(agrees(ours[k], real[k]) for k in real)
    if isinstance(real, list) and isinstance(ours, list):
        return len(ours) == len(real) and all(map(agrees, ours, real))
    return bool(ours == real)


def is_close(ours: str, real: str, tolerance: float) -> bool:
    """Return whether two numbers agree; the sign of zero and NaN count."""
    a, b = complex(ours), complex(real)
    if a == b or not cmath.isfinite(b):
        return ours == real
    return abs(a - b) <= tolerance * abs(b) + 1e-5


def area(expression: str) -> str:
    """Return the area that an expression belongs to, for the table."""
    if re.match(r"xp\.(\w+)\.", expression):
        return "modules (linalg, random, lib)"
    if re.match(r"(xp|np)\.", expression):
        return "functions"
    if re.search(r" [-+*/@<%]+ | == ", expression):
        return "operators"
    return "indexing" if re.match(r"\w+\[", expression) else "methods and attributes"


def compare(answers: dict[str, Any], ask: Callable[[str], Any], name: Any) -> dict[str, Counter]:
    """Return for each area how many results agree and how many are allowed to differ."""
    counts: dict[str, Counter[str]] = {}
    wrong = []
    for expression, real in answers.items():
        is_equal = agrees(ask(expression), real)
        counts.setdefault(name(expression), Counter())["agree" if is_equal else "allowed"] += 1
        if is_equal == (expression in ALLOWED):
            wrong.append(f"{expression}: " + ("is equal now" if is_equal else f"differs: {real}"))
    assert not wrong, "\n".join(wrong)
    return counts


@pytest.mark.filterwarnings("ignore")  # divisions by zero, and names that NumPy will remove
def test_the_stand_in_answers_as_a_real_cupy(report: Any) -> None:
    where, record = folder(), recorder()
    facts = json.loads((where / "facts.json").read_text())
    unknown = ALLOWED.keys() - facts["expressions"].keys() - facts["statements"].keys()
    assert not unknown, f"allowed to differ, but never asked: {unknown}"

    def answer(expression: str, statement: bool = False) -> Any:
        return json.loads(json.dumps(record.answer(expression, cupy, statement)))

    counts = compare(facts["expressions"], answer, area)
    counts |= compare(facts["statements"], lambda e: answer(e, True), lambda e: "statements")
    table = f"answers of the stand-in and of CuPy {facts['version']}"
    for name, n in sorted(counts.items()):
        report(table, f"{name:30}", f"{n['agree']} agree, {n['allowed']} allowed to differ")


REAL = {"kind": "array", "dtype": "float32", "shape": [1], "values": ["403.4288"]}


@pytest.mark.parametrize(
    ("change", "is_equal"),
    [
        ({}, True),
        ({"values": ["403.42877"]}, True),
        ({"values": ["403.43"]}, False),
        ({"shape": []}, False),
        ({"dtype": "float64"}, False),
    ],
)
def test_a_difference_is_noticed(change: dict[str, Any], is_equal: bool) -> None:
    assert agrees({**REAL, **change}, REAL) is is_equal


def test_signed_zeros_and_nan_count_as_different() -> None:
    assert not is_close("-0.0", "0.0", 1e-6)
    assert is_close("nan", "nan", 1e-6) and not is_close("1.0", "nan", 1e-6)
    assert not is_close("1.0", "inf", 1e-6)
