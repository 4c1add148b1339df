"""The op table as a test suite: rows of a plugin, and a check that a row can fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..function import Function
from ..plugins import plugins
from .gradients import GradientError, check_gradients
from .op_case import OpCase


def rows(plugin: str) -> list[OpCase]:
    """The rows of the op table that one plugin registers through ``dezero_op_cases``.

    Raises:
        PluginError: the plugin is left out.
    """
    plugins.scan()
    plugins.raise_if_left_out(plugin)
    found = [case for cases in plugins.results("dezero_op_cases", plugin) for case in cases]
    return [case for case in found if isinstance(case, OpCase)]


class Scaled(Function):
    """y = x, with a derivative of 1.01 instead of 1: a small mistake in one gradient."""

    def forward(self, x: Any) -> Any:
        return +x

    def backward(self, gy: Any) -> Any:
        return gy * 1.01


def check_sensitivity(case: OpCase, position: int) -> None:
    """Check that the row fails when the gradient of one input is off by one percent.

    Raises:
        AssertionError: it passes all the same.
    """

    def wrong(*xs: Any) -> Any:
        return case.function(*[Scaled()(x) if p == position else x for p, x in enumerate(xs)])

    hosts = case.sample(case.shapes[0])
    check_gradients(case.function, *hosts, order=1, wanted=case.wanted(), backend="numpy")
    try:
        replace(case, function=wrong, shapes=case.shapes[:1]).check("numpy")
    except GradientError as error:
        if f"input {position}" in str(error):
            return
    raise AssertionError(f"{case.name}: input {position} may be wrong by 1 % unnoticed")
