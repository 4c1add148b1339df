"""Test that the methods that type checkers see have the parameters of the bound functions."""

import __future__

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from dezero_core import Variable, variable


def declared() -> dict[str, Callable[..., Any]]:
    """Execute the methods under ``if TYPE_CHECKING:`` in the class Variable, and return them."""
    tree = ast.parse(inspect.getsource(variable))
    (cls,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Variable")
    blocks = [n for n in cls.body if isinstance(n, ast.If) and isinstance(n.test, ast.Name)]
    (block,) = blocks
    made: dict[str, Any] = {}
    flag = __future__.annotations.compiler_flag
    exec(compile(ast.Module(block.body, []), "declared", "exec", flag), {}, made)
    return {name: method for name, method in made.items() if not isinstance(method, property)}


DECLARED = declared()


@pytest.mark.parametrize("name", DECLARED)
def test_declared_signatures_are_those_of_the_functions(name: str) -> None:
    def shape_of(function: Any) -> list[Any]:
        _, *parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert shape_of(DECLARED[name]) == shape_of(vars(Variable)[name])


def test_every_function_bound_to_variable_is_declared() -> None:
    bound = {
        name
        for name, value in vars(Variable).items()
        if inspect.isfunction(value) and value.__module__ != variable.__name__
    }
    assert bound - {"__dir__"} == set(DECLARED)
