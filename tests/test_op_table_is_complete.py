"""Check that every public function of core and nn has a row, with second derivatives."""

from collections import defaultdict
from types import ModuleType

import pytest

import dezero_core
import dezero_nn
from dezero_testing import OpCase, load_rows

WITHOUT_SECOND_ORDER = {
    "argmax": "returns integers, which have no derivative",
    "argsort": "returns integers, which have no derivative",
    "argmin": "returns integers, which have no derivative",
    "bernoulli": "returns random samples, through which no gradient flows",
    "multinomial": "returns integers, which have no derivative",
    "one_hot": "returns integers, which have no derivative",
    "accuracy": "is piecewise constant, so its derivative is 0",
}

TABLES = [("core", dezero_core.functions), ("nn", dezero_nn.functions)]


def rows_by_op(plugin: str) -> dict[str, list[OpCase]]:
    found: dict[str, list[OpCase]] = defaultdict(list)
    for case in load_rows(plugin):
        found[case.op].append(case)
    return found


@pytest.mark.parametrize(("plugin", "functions"), TABLES, ids=["core", "nn"])
def test_every_public_function_has_a_row(plugin: str, functions: ModuleType) -> None:
    assert set(functions.__all__) == set(rows_by_op(plugin))


@pytest.mark.parametrize(("plugin", "functions"), TABLES, ids=["core", "nn"])
def test_every_op_has_second_derivatives_unless_listed(plugin: str, functions: ModuleType) -> None:
    lower = {op for op, cases in rows_by_op(plugin).items() if all(c.order < 2 for c in cases)}
    assert lower == WITHOUT_SECOND_ORDER.keys() & set(functions.__all__)


def test_every_op_is_tried_with_sizes_zero_or_one_and_with_more_elements() -> None:
    for plugin, _ in TABLES:
        for op, cases in rows_by_op(plugin).items():
            trials = [shape for case in cases for shapes in case.shapes for shape in shapes]
            sizes = [len(shape) and min(shape) for shape in trials]
            assert any(size < 2 for size in sizes), op
            assert any(len(shape) > 0 and max(shape) > 1 for shape in trials), op
