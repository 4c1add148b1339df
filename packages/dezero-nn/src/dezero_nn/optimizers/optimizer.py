"""Optimizer: changes parameters by their gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self
from weakref import WeakKeyDictionary

from dezero_core import Parameter
from dezero_core.errors import CallError, GraphError, KeyMismatch, ShapeMismatch
from dezero_core.extend import as_number, backend_of, move_beside, named_params, on_device_of
from dezero_core.hints import no_attribute

from .. import signatures
from ..hints import OPTIMIZER
from ..layers import Layer


class Optimizer:
    """Base of all optimizers (book step 46). Subclasses define ``step``.

    Attributes:
        rate_name: the attribute that holds the learning rate, for schedules.
        elementwise: whether ``step`` treats every element alike and on its own, so that it may
            be given pieces of parameters, or several at once. A class that defines ``step``
            says so itself.
    """

    rate_name = "lr"
    elementwise: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "step" not in vars(cls):
            return
        cls.step = with_advice(vars(cls)["step"])  # type: ignore[method-assign]
        if "elementwise" not in vars(cls):
            cls.elementwise = False

    def __init__(self) -> None:
        self.target: Layer | None = None
        self.hooks: list[Callable[[list[Parameter]], None]] = []
        # Keyed weakly by the parameter itself: the state goes when the parameter goes.
        self._state: WeakKeyDictionary[Parameter, dict[str, Any]] = WeakKeyDictionary()

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep NumPy's numbers as Python's, which leave the dtype of parameters alone."""
        if isinstance(value, Real) and not isinstance(value, bool):
            value = as_number(type(self).__name__, name, value)
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # type checkers know which attributes there are

        def __getattr__(self, name: str) -> Any:
            return no_attribute(self, name, OPTIMIZER)

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
        params = [p for p in type(self.target).params(self.target) if p.grad is not None]
        for hook in self.hooks:
            with on_device_of(*[p.data for p in params]):
                hook(params)
        params = [p for p in params if p.grad is not None]  # a hook may freeze one
        if type(self).update_one is not Optimizer.update_one:  # as the book's subclasses do
            for param in params:
                self.update_one(param)
        else:
            for alike in of_one_place(params):
                self._update_alike(alike)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint must hold: settings, and what is kept by parameter's key.

        Raises:
            GraphError: ``setup`` was not called.
        """
        settings = {
            name: value for name, value in vars(self).items() if isinstance(value, int | float)
        }
        state = {key: dict(self._state[p]) for key, p in self._named().items() if p in self._state}
        return {"settings": settings, "parameters": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` saw, of an optimizer of the same class.

        Raises:
            GraphError: ``setup`` was not called.
            KeyMismatch: it has settings or parameters that this one does not have.
            ShapeMismatch: it is of parameters of other shapes.
        """
        named = self._named()
        other = [name for name in state["settings"] if name not in vars(self)]
        unknown = [key for key in state["parameters"] if key not in named]
        if other or unknown:
            raise KeyMismatch(
                f"the state is not of this {type(self).__name__} and its model: unexpected "
                f"{', '.join(map(repr, other + unknown))}"
            )
        for key, kept in state["parameters"].items():
            for name, value in kept.items():
                shape = getattr(value, "shape", ())
                if named[key].data is not None and shape not in ((), named[key].shape):
                    raise ShapeMismatch(
                        f"the state of {type(self).__name__} does not fit the model, nothing was "
                        f"loaded: {key!r}: model {named[key].shape}, {name!r} is {shape}"
                    )
        vars(self).update(state["settings"])
        self._state.clear()
        for key, kept in state["parameters"].items():
            self._state[named[key]] = dict(kept)

    def _named(self) -> dict[str, Parameter]:
        if self.target is None:
            raise GraphError(f"{type(self).__name__}: call setup(model) first")
        named = named_params(self.target).items()
        return {key: p for key, p in named if isinstance(p, Parameter)}

    def update_one(self, param: Parameter) -> None:
        """Change one parameter, in place where its array library allows it."""
        self._update_alike([param])

    def _update_alike(self, params: list[Parameter]) -> None:
        """Change parameters of one dtype on one device."""
        states = [self._state.setdefault(param, {}) for param in params]
        for param, state in zip(params, states, strict=True):
            for name, value in state.items():
                if not isinstance(value, int | float):
                    state[name] = move_beside(value, param.data)  # it may have been moved
        gradients = [param.grad.data for param in params if param.grad is not None]
        with on_device_of(params[0].data):
            arrays = self.updated([param.data for param in params], gradients, states)
        for param, array in zip(params, arrays, strict=True):
            param.data = array

    def updated(self, ps: list[Any], gs: list[Any], states: list[dict[str, Any]]) -> list[Any]:
        """Parameters with what ``step`` adds to each, perhaps written over them."""
        run = signatures.update if self.elementwise else signatures.update.portable
        return run(ps, gs, states, self.step)

    def step(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
        """What to add to a parameter.

        Args:
            p: the parameter, an array.
            g: its gradient, an array.
            state: what this optimizer keeps for the parameter; empty at first.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step")


def with_advice(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``step`` that says what to write if it is called as PyTorch's, without arguments."""

    @wraps(rule)
    def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs:
            name = type(self).__name__
            raise CallError(
                f"{name}.step() is the rule for one parameter; write optimizer.update()"
            )
        return rule(self, *args, **kwargs)

    return step


@signatures.update.define
def _update(ps: list[Any], gs: list[Any], states: list[dict[str, Any]], step: Any) -> list[Any]:
    backend = backend_of(ps[0])
    return [backend.iadd(p, step(p, g, s)) for p, g, s in zip(ps, gs, states, strict=True)]


@signatures.add_scaled.define
def _add_scaled(ps: list[Any], gs: list[Any], a: float) -> list[Any]:
    backend = backend_of(ps[0])
    return [backend.iadd(p, g * a) for p, g in zip(ps, gs, strict=True)]


def of_one_place(params: list[Parameter]) -> list[list[Parameter]]:
    """Parameters in groups of one library, dtype and device."""
    groups: dict[Any, list[Parameter]] = {}
    for param in params:
        device = backend_of(param.data).device(param.data)
        groups.setdefault((type(param.data), param.dtype, str(device)), []).append(param)
    return list(groups.values())
