"""Test the walk over a tree: keys, order, shared parameters and errors."""

from array import array
from collections import UserDict, UserList, deque
from typing import Any

import numpy as np
import pytest

from dezero_core import Buffer, Parameter, Variable
from dezero_core.errors import ArgumentTypeError, WeightsError
from dezero_core.state import named_params


class Node:
    """A minimal object with ``named_params``."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def named_params(self) -> Any:
        return named_params(self)


def p(value: float = 0.0) -> Parameter:
    return Parameter(np.array(value))


def test_keys_are_paths_in_order_of_definition() -> None:
    tree = Node(
        z=Node(W=p(), b=p()),
        a=p(),
        blocks=[Node(W=p()), (Node(W=p()), p())],
        heads={"left": Node(W=p()), 2: p()},
        mean=Buffer(np.zeros(1)),
        other=Variable(np.zeros(1)),
        nothing=None,
    )
    assert list(tree.named_params()) == [
        "z/W",
        "z/b",
        "a",
        "blocks/0/W",
        "blocks/1/0/W",
        "blocks/1/1",
        "heads/left/W",
        "heads/2",
        "mean",
    ]


def test_containers_are_trees() -> None:
    assert list(named_params({"a": {"b": [p(), p()]}, "c": p()})) == ["a/b/0", "a/b/1", "c"]
    assert list(named_params([p()])) == ["0"]
    assert named_params([3, {}]) == {}
    for rows in (deque([p()]), UserList([p()]), UserDict({0: p()})):
        assert list(Node(rows=rows).named_params()) == ["rows/0"]
    numbers = Node(a=bytearray(9), b=array("d", [1]), c=np.ones(2), d={1, (2,)}, e="words")
    assert numbers.named_params() == {}


NO_TREES = [3, "words", None, Node, len, p(), Variable(np.ones(2)), iter([p()]), {p()}, np.ones(2)]


@pytest.mark.parametrize("root", [*NO_TREES, {"a": p()}.values()], ids=lambda x: type(x).__name__)
def test_a_value_that_is_not_a_tree_is_refused(root: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"named_params: got .*; expected a model or layer"):
        named_params(root)


@pytest.mark.parametrize(
    "hide",
    [
        lambda x: {x},
        lambda x: frozenset([(x, 1)]),
        lambda x: {"a": x}.values(),
        lambda x: {"a": x}.items(),
        lambda x: {x: "a"}.keys(),
        lambda x: np.array([[x, None]], dtype=object),
        lambda x: [{x}],
    ],
)
def test_a_parameter_without_a_key_is_an_error(hide: Any) -> None:
    for inside in (p(), Node(W=p())):
        with pytest.raises(WeightsError, match=r"'blocks.*, in which parameters have no keys; use"):
            Node(blocks=hide(inside)).named_params()
        assert len(Node(blocks=hide(inside), known=inside).named_params()) == 1
    assert Node(blocks=hide(Node())).named_params() == {}


def test_a_shared_parameter_has_its_attribute_path_or_else_its_first_path() -> None:
    layer = Node(W=p())
    assert list(Node(layers=[layer], l0=layer).named_params()) == ["l0/W"]
    assert list(Node(l0=layer, layers=[layer]).named_params()) == ["l0/W"]
    assert list(Node(first=[layer], second=[layer]).named_params()) == ["first/0/W"]
    assert list(Node(a=layer, b=layer).named_params()) == ["a/W"]


def test_deleted_attributes_and_none_have_no_keys() -> None:
    tree = Node(a=p(), b=p(), c=p())
    del tree.a
    tree.b = None
    assert list(tree.named_params()) == ["c"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a/b": p()}, "'a/b' contains '/'"),
        ({"a/b": {"c": p()}}, "'a/b' contains '/'"),
        ({(1, 2): p()}, r"strings or integers, got \(1, 2\)"),
        ({"1": p(), 1: p()}, "two parameters have the key '1'"),
    ],
)
def test_names_that_cannot_be_keys_raise(tree: Any, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        named_params(tree)
    assert isinstance(caught.value, ValueError)


def test_cycles_are_refused() -> None:
    loop = Node()
    loop.inner = Node(outer=loop, W=p())
    with pytest.raises(WeightsError, match="contains itself"):
        named_params(loop)
    with pytest.raises(WeightsError, match="contains itself"):
        nested: list[Any] = []
        nested.append(nested)
        named_params({"a": nested})
