"""Optimizer: changes parameters by their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self
from weakref import WeakKeyDictionary

from dezero_core import Parameter
from dezero_core.errors import GraphError
from dezero_core.extend import backend_of, move

from ..layers import Layer


class Optimizer:
    """Base of all optimizers (book step 46). Subclasses define ``step``.

    Attributes:
        rate_name: the attribute that holds the learning rate, for schedules.
    """

    rate_name = "lr"

    def __init__(self) -> None:
        self.target: Layer | None = None
        self.hooks: list[Callable[[list[Parameter]], None]] = []
        # Keyed weakly by the parameter itself: the state goes when the parameter goes.
        self._state: WeakKeyDictionary[Parameter, dict[str, Any]] = WeakKeyDictionary()

    def setup(self, target: Layer) -> Self:
        """Optimize the parameters of ``target``; returns self."""
        self.target = target
        return self

    def add_hook(self, hook: Callable[[list[Parameter]], None]) -> None:
        """Call ``hook(params)`` before each update, with the parameters that have gradients."""
        self.hooks.append(hook)

    def update(self) -> None:
        """Change every parameter that has a gradient.

        Raises:
            GraphError: ``setup`` was not called.
        """
        if self.target is None:
            raise GraphError(f"{type(self).__name__}.update(): call setup(model) first")
        params = [p for p in self.target.params() if p.grad is not None]
        for hook in self.hooks:
            hook(params)
        for param in params:
            if param.grad is not None:  # a hook may freeze one
                self.update_one(param)

    def update_one(self, param: Parameter) -> None:
        """Change one parameter, in place where its array library allows it."""
        assert param.grad is not None
        backend = backend_of(param.data)
        state = self._state.setdefault(param, {})
        for name, value in state.items():
            if not isinstance(value, int | float) and backend_of(value) is not backend:
                state[name] = move(value, backend)  # the parameter has been moved
        change = self.step(param.data, param.grad.data, state)
        param.data = backend.iadd(param.data, change)

    def step(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
        """What to add to a parameter.

        Args:
            p: the parameter, an array.
            g: its gradient, an array.
            state: what this optimizer keeps for the parameter; empty at first.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step")
