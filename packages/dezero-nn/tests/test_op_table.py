"""Every row of dezero-nn on three array types, in both modes of backward."""

from typing import Any

import pytest

from dezero_testing import OpCase, check_sensitivity, load_rows

ROWS = load_rows("nn")
INPUTS = [
    (case, p) for case in ROWS if case.order for p, want in enumerate(case.requires_grad()) if want
]


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
def test_row(case: OpCase, backend: str, ran: Any) -> None:
    case.check(backend)
    ran(case, backend)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "position"), INPUTS, ids=lambda v: getattr(v, "name", str(v)))
def test_a_gradient_off_by_one_percent_fails_its_row(case: OpCase, position: int) -> None:
    check_sensitivity(case, position)


def test_names_are_unique() -> None:
    names = [case.name for case in ROWS]
    assert len(names) == len(set(names))
