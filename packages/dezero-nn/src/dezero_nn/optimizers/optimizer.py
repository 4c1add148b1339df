"""Optimizer: changes parameters by their gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, MappingView
from functools import wraps
from numbers import Real
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dezero_core import Parameter, get_array_module
from dezero_core.errors import (
    ArgumentError,
    ArgumentTypeError,
    CallError,
    DezeroError,
    GraphError,
    KeyMismatch,
    ShapeError,
    ShapeMismatch,
    UnsupportedType,
)
from dezero_core.extend import (
    WeakIdentityDict,
    as_number,
    backend_of,
    cast,
    in_single,
    move_beside,
    named_params,
    on_device_of,
    own_data,
    updating,
)
from dezero_core.hints import missing, named, no_attribute
from dezero_core.tree import (
    CONTAINER,
    LAYER,
    LEAF,
    NOTHING,
    WITHOUT_KEYS,
    children,
    kind_of,
    require_tree,
)

from .. import signatures
from ..calls import require_call
from ..hints import OPTIMIZER, OPTIMIZER_KEYWORDS, RATES
from .gradients import gradient_of, with_gradients
from .settings import numbers_of, representation


class Optimizer:
    """Base of all optimizers (book step 46). Subclasses define ``step``.

    `copy.deepcopy` and `pickle` copy the state, the hooks and the model together; copy
    ``(model, optimizer)`` in one call to get both. `copy.copy` makes an optimizer of the same
    model with a state and hooks of its own.

    Attributes:
        rate_name: the attribute that holds the learning rate, for schedules.
        elementwise: whether ``step`` treats every element alike and on its own, so that it may
            be given pieces of parameters, or several at once. A class that defines ``step``
            says so itself.
    """

    rate_name = "lr"
    elementwise: ClassVar[bool] = False
    _rule: ClassVar[Callable[..., Any]]  # the ``step`` of the class that has one

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        rule = vars(cls).get("step")
        if not isinstance(rule, FunctionType) or rule.__code__.co_argcount != RULE_ARGUMENTS:
            return  # none, or a method of the user's that has the name
        cls._rule = rule
        cls.step = with_advice(rule)  # type: ignore[method-assign]
        if "elementwise" not in vars(cls):
            cls.elementwise = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an optimizer; raise an error with a hint for arguments that it does not take."""
        if args and is_target(args[0]):
            raise CallError(
                f"{cls.__name__}: the first argument is a number, got {type(args[0]).__name__}; "
                f"write {cls.__name__}(...).setup(model)"
            )
        if args or kwargs:
            require_call(cls, args, kwargs, OPTIMIZER_KEYWORDS, is_tried=True)
        return super().__new__(cls)

    def __init__(self) -> None:
        self.target: Any = None
        self.hooks: list[Callable[[list[Parameter]], None]] = []
        # Keyed weakly by the parameter itself: the state goes when the parameter goes.
        self._state: WeakIdentityDict[Parameter, dict[str, Any]] = WeakIdentityDict()

    def __setattr__(self, name: str, value: Any) -> None:
        """Convert NumPy numbers to Python's, which do not change the dtype of parameters.

        Raises:
            MissingName: ``name`` is another framework's name of the learning rate.
        """
        if name in RATES and hasattr(self, self.rate_name) and name not in vars(self):
            if not hasattr(type(self), name):
                raise missing(type(self).__name__, name, OPTIMIZER, self)
        if isinstance(value, Real) and not isinstance(value, bool):
            value = as_number(type(self).__name__, name, value)
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # type checkers know the attributes

        def __getattr__(self, name: str) -> Any:
            return no_attribute(self, name, OPTIMIZER)

    def setup(self, target: Any) -> Self:
        """Optimize the parameters of ``target``; return self.

        Args:
            target: a model or layer, or a list or dictionary of layers and Parameters. Parameters
                that it gets later are optimized too.

        Raises:
            ArgumentTypeError: ``target`` is something else, such as a generator, or a list with
                a Variable that is not a Parameter.
            WeightsError: its parameters have no keys; see `named_params`.
        """
        op = f"{type(self).__name__}.setup"
        require_tree(op, target, "write setup(model)")
        named_params(target)
        for name, child in children(target) if kind_of(target) == CONTAINER else ():
            if kind_of(child) in (NOTHING, WITHOUT_KEYS) and not callable(child):
                raise ArgumentTypeError(
                    f"{op}: {name} is a {type(child).__name__}; expected a layer or a Parameter; "
                    "Parameter(array) makes one of an array"
                )
        self.target = target
        return self

    def add_hook(self, hook: Callable[[list[Parameter]], None]) -> None:
        """Call ``hook(params)`` before each update, with the parameters that have gradients.

        Hooks run in the order in which they were added; each sees the changes of earlier ones.

        Raises:
            ArgumentError: ``hook`` is not a function or object that can be called, or a class.
        """
        if isinstance(hook, type) or not callable(hook):
            raise ArgumentError(
                f"{type(self).__name__}.add_hook: hook is {named(hook)} ({type(hook).__name__}); "
                "expected a function of a list of parameters, or an object such as "
                "WeightDecay(1e-4)"
            )
        self.hooks.append(hook)

    def update(self) -> None:
        """Change every parameter that has a gradient.

        A parameter's array is changed in place if nothing else holds it. Otherwise the parameter
        gets a new one (docs/adr/0018), so a graph or a view computed before keeps its values.

        Raises:
            GraphError: ``setup`` was not called.
            ShapeError: a gradient, or the state of an elementwise optimizer, has another shape
                than its parameter. Nothing was changed.
            BackendMismatch: a gradient is of another array library or on another device.
            UnsupportedType: a parameter holds integers or bools, or has no data yet.
        """
        if self.target is None:
            raise GraphError(f"{type(self).__name__}.update(): call setup(model) first")
        params = self._with_gradients(self._named().values())
        for hook in self.hooks:
            with on_device_of(*[p.data for p in params]):
                hook(params)
            params = self._with_gradients(params)  # a hook may freeze one
        with updating():
            if type(self).update_one is not Optimizer.update_one:  # as the book's subclasses do
                for param in params:
                    own_data(param)
                    self.update_one(param)
            else:
                for alike in of_one_place(params):
                    self._update_alike(alike)

    def state_dict(self) -> dict[str, Any]:
        """Return the settings, and the state by the parameter's key, for a checkpoint.

        Arrays are copies, all taken between two updates: later updates do not change them.

        Raises:
            GraphError: ``setup`` was not called.
        """
        own, state = self._keyed_by_id(), {}
        with updating():
            for key, p in self._named().items():
                kept = {name: values[id(p)] for name, values in own.items() if id(p) in values}
                if kept or p in self._state:
                    state[key] = copied({**self._state.get(p, {}), **kept})
            return {"settings": self._settings(), "parameters": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` saw, of an optimizer of the same class.

        Arrays are copied: updates do not change ``state``.

        Raises:
            ArgumentError: a setting is out of its range.
            GraphError: ``setup`` was not called.
            KeyMismatch: it has settings or parameters that this one does not have.
            ShapeMismatch: it is of parameters of other shapes.
        """
        self._staged(state, copied)()

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check a state; return a function that makes it this optimizer's, arrays included.

        `dezero_io.load_checkpoint` calls this to avoid one more copy of a file's arrays. The
        elements of the arrays are not read.

        Raises:
            ArgumentError, GraphError, KeyMismatch, ShapeMismatch: as for `load_state_dict`. Nothing
                was changed.
        """
        return self._staged(state, dict)

    def _staged(
        self, state: dict[str, Any], own: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> Callable[[], None]:
        """Check a state; ``own`` turns a parameter's state into one that updates may change."""
        named = self._named()
        self._require_fit(state, named)
        parameters = {key: own(kept) for key, kept in state["parameters"].items()}
        with updating():  # no update may see the settings while they are tried
            before = self._settings()
            try:
                self._set(state["settings"])
            finally:
                self._set(before)

        def commit() -> None:
            with updating():
                self._set(state["settings"])
                self._state.clear()
                by_id = {
                    name: value for name, value in vars(self).items() if isinstance(value, dict)
                }
                for values in by_id.values():
                    values.clear()
                for key, kept in parameters.items():
                    param = named[key]
                    for name in by_id.keys() & kept.keys():
                        by_id[name][id(param)] = kept.pop(name)
                    self._state[param] = kept

        return commit

    def _require_fit(self, state: dict[str, Any], named: dict[str, Parameter]) -> None:
        """Raise unless a state has this optimizer's settings, and its model's keys and shapes."""
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

    def _settings(self) -> dict[str, Any]:
        return numbers_of(self)

    def _set(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        return representation(self)

    def _keyed_by_id(self) -> dict[str, dict[int, Any]]:
        """Return the dictionaries with a key ``id(param)`` each, of subclasses as in the book."""
        ids = {id(param) for param in self._known_params()}
        return {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, dict) and value and value.keys() <= ids
        }

    # The state is keyed by parameter objects. A copy lists the pairs, so that the keys are copied
    # with the model and stay the same objects as its parameters. Subclasses written as in the
    # book have dictionaries keyed by id(param): a copy replaces these keys by the new ids.

    def __getstate__(self) -> dict[str, Any]:
        ids = {id(param): param for param in self._known_params()}
        return {**vars(self), "_state": list(self._state.items()), "_ids": ids}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        ids = attributes.pop("_ids")
        for name, value in attributes.items():
            if isinstance(value, dict) and value and value.keys() <= ids.keys():
                pairs = [(id(ids[key]), x) for key, x in value.items()]
                value.clear()
                value.update(pairs)
            vars(self)[name] = value
        self._state = WeakIdentityDict(attributes["_state"])

    def _known_params(self) -> list[Parameter]:
        known = list(self._named().values()) if self.target is not None else []
        return [*known, *self._state]

    def __copy__(self) -> Self:
        """Copy all but the model and its parameters."""
        shared = [self.target, *self._known_params()]
        return copy.deepcopy(self, {id(x): x for x in shared})

    def _with_gradients(self, params: Iterable[Parameter]) -> list[Parameter]:
        """Return the parameters with a gradient; errors name the key of the parameter."""
        try:
            return with_gradients(params)
        except DezeroError:
            for key, param in self._named().items():
                try:
                    gradient_of(param)
                except DezeroError as error:
                    error.layer_path = tuple(key.split("/"))
                    raise error from None
            raise

    def _named(self) -> dict[str, Parameter]:
        if self.target is None:
            raise GraphError(f"{type(self).__name__}: call setup(model) first")
        named = named_params(self.target).items()
        return {key: p for key, p in named if isinstance(p, Parameter)}

    def update_one(self, param: Parameter) -> None:
        """Change one parameter, in place if nothing else holds its array."""
        with updating():
            for alike in of_one_place(with_gradients([param])):
                self._update_alike(alike)

    def _update_alike(self, params: list[Parameter]) -> None:
        """Change parameters of one dtype on one device."""
        require_floating(type(self).__name__, params[0])
        for param in params:
            own_data(param)
        states = [self._state.setdefault(param, {}) for param in params]
        for param, state in zip(params, states, strict=True):
            for name, value in state.items():
                if isinstance(value, int | float):
                    continue
                if self.elementwise and tuple(value.shape) not in ((), param.shape):
                    raise ShapeError(
                        f"{type(self).__name__}: the state {name!r} has shape {value.shape}, its "
                        f"parameter {param.name!r} has shape {param.shape} now; make a new "
                        "optimizer after changing the shape of a parameter"
                    )
                state[name] = move_beside(value, param.data)  # the parameter may have moved
        backend = backend_of(params[0].data)
        with on_device_of(*[param.data for param in params]):
            # update half precision in float32, where g**2 and eps do not underflow
            ps = [in_single(param.data, backend) for param in params]
            gs = [
                grad.data if grad.dtype == p.dtype else cast(grad.data, p.dtype)
                for grad, p in zip([param._grad for param in params], ps, strict=True)
                if grad is not None
            ]
            arrays = self.updated(ps, gs, states)
            for param, array in zip(params, arrays, strict=True):
                param.data = array if array.dtype == param.dtype else cast(array, param.dtype)

    def updated(self, ps: list[Any], gs: list[Any], states: list[dict[str, Any]]) -> list[Any]:
        """Parameters with what ``step`` adds to each, perhaps written over them."""
        run = signatures.update if self.elementwise else signatures.update.portable
        return run(ps, gs, states, type(self)._rule.__get__(self))

    def step(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
        """What to add to a parameter.

        Args:
            p: the parameter, an array.
            g: its gradient, an array.
            state: what this optimizer keeps for the parameter; empty at first.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step")


def is_target(x: Any) -> bool:
    """Return whether ``x`` looks like an argument of ``setup`` or of PyTorch's optimizers."""
    if isinstance(x, dict | tuple):
        parts = x.values() if isinstance(x, dict) else x
        found = any(isinstance(part, dict) or kind_of(part) in (LEAF, LAYER) for part in parts)
        return found or (isinstance(x, dict) and "params" in x)
    return kind_of(x) in (LEAF, CONTAINER, LAYER) or isinstance(x, Iterator | MappingView)


RULE_ARGUMENTS = 4
"""Arguments of a rule: ``step(self, p, g, state)``."""


def with_advice(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``step``: a call without arguments, as in PyTorch, raises an error with a hint."""

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


def copied(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a parameter with its arrays copied, on the same devices."""
    own = {}
    for name, value in state.items():
        if hasattr(value, "shape"):
            with on_device_of(value):
                own[name] = backend_of(value).copy(value)
        else:
            own[name] = copy.deepcopy(value)
    return own


def require_floating(owner: str, param: Parameter) -> None:
    """Raise `UnsupportedType` if a parameter holds integers or bools."""
    if not get_array_module(param).isdtype(param.dtype, ("real floating", "complex floating")):
        raise UnsupportedType(
            f"{owner}: parameter {param.name!r} is {param.dtype} {param.shape}; expected a "
            "floating dtype such as float32; convert its data first"
        )


def of_one_place(params: list[Parameter]) -> list[list[Parameter]]:
    """Parameters in groups of one library, dtype and device."""
    groups: dict[Any, list[Parameter]] = {}
    for param in params:
        device = backend_of(param.data).device(param.data)
        groups.setdefault((type(param.data), param.dtype, str(device)), []).append(param)
    return list(groups.values())
