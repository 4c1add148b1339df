"""Define `Group`, parameters with settings that override those of their optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dezero_core import Parameter
from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_core.state import CONTAINER, LAYER, LEAF, kind_of, named_params

from .phases import current_phase
from .settings import numbers_of

if TYPE_CHECKING:
    from .optimizer import Optimizer


class Group:
    """Hold parameters with settings of their own; `Optimizer.add_group` creates groups.

    Args:
        params: the parameters.
        settings: a dictionary from names of settings to numbers.
        base: the base learning rate of the optimizer when the group was created. If ``settings``
            has a learning rate, the rate of the group is multiplied by the optimizer's learning
            rate divided by ``base``, so that schedules change all groups by the same factor.
    """

    def __init__(self, params: list[Parameter], settings: dict[str, Any], base: float) -> None:
        self.params, self.settings, self.base = params, settings, base

    def __repr__(self) -> str:
        settings = [f"{name}={value}" for name, value in self.settings.items()]
        count = "1 parameter" if len(self.params) == 1 else f"{len(self.params)} parameters"
        return f"Group({', '.join([count, *settings])})"

    def state(self, keys: Mapping[int, str]) -> dict[str, Any]:
        """Return the group for a checkpoint; ``keys`` has the keys of parameters by id."""
        members = [keys[id(param)] for param in self.params if id(param) in keys]
        return {"params": members, "settings": dict(self.settings), "base": self.base}

    @contextmanager
    def applied_to(self, optimizer: Optimizer) -> Iterator[None]:
        """Replace settings of the optimizer by the group's settings inside of a with block."""
        name, settings = optimizer.rate_name, dict(self.settings)
        if name in settings:
            settings[name] *= getattr(optimizer, name) / self.base
        before = {"_active": None, **{name: vars(optimizer)[name] for name in settings}}
        vars(optimizer).update(settings, _active=self)
        try:
            yield
        finally:
            vars(optimizer).update(before)


def new_group(
    optimizer: Optimizer, params: list[Parameter], settings: Mapping[str, Any], base: float = 0.0
) -> Group:
    """Return a group whose settings are checked in the same way as the optimizer's.

    If ``base`` is 0, it is the base learning rate of the optimizer's schedules; see `Group`.

    Raises:
        ArgumentError: the optimizer has no such setting, a value is out of its range, or there are
            no settings.
    """
    op, known = f"{type(optimizer).__name__}.add_group", numbers_of(optimizer)
    names = {name: optimizer.rate_name if name == "lr" else name for name in settings}
    unknown = [name for name in names if names[name] not in known]
    if unknown or not settings:
        raise ArgumentError(
            f"{op}: {f'unknown setting {unknown[0]!r}' if unknown else 'got no settings'}; pass at "
            f"least one of {', '.join(name for name in known if not name.startswith('_'))}"
        )
    if optimizer.rate_name in known and not base:
        base = current_phase(optimizer).base
    if optimizer.rate_name in names.values() and base == 0:
        raise ArgumentError(f"{op}: the learning rate of the optimizer is 0; set it first")
    try:
        for name, value in settings.items():
            setattr(optimizer, name, value)
        return Group(params, {name: vars(optimizer)[name] for name in names.values()}, base)
    finally:
        vars(optimizer).update(known)


def selected(optimizer: Optimizer, params: object) -> list[Parameter]:
    """Return the optimizer's parameters that ``params`` selects; see `Optimizer.add_group`."""
    op, named = f"{type(optimizer).__name__}.add_group", optimizer.target_params()
    is_tree = kind_of(params) in (LEAF, CONTAINER, LAYER)
    if is_tree or isinstance(params, Iterable):
        tree = [params] if is_tree else list(params)  # type: ignore[call-overload]
        chosen = {id(p) for p in named_params(tree).values() if isinstance(p, Parameter)}
    elif callable(params):
        chosen = {id(p) for key, p in named.items() if matches(op, params, key, p)}
    else:
        raise ArgumentTypeError(
            f"{op}: params is of type {type(params).__name__}; expected a function of a parameter, "
            "such as lambda p: p.ndim < 2, or a layer, or a list of parameters"
        )
    found = [p for p in named.values() if id(p) in chosen]
    taken = {id(p) for group in optimizer.groups for p in group.params}
    twice = [key for key, p in named.items() if id(p) in chosen & taken]
    if twice:
        raise ArgumentError(
            f"{op}: the parameter {twice[0]!r} is in another group; put each in one group only"
        )
    if not found or len(found) < len(chosen):
        raise ArgumentError(
            f"{op}: params selects {len(chosen)} parameters, of which the model passed to setup "
            f"has {len(found)}; select at least one parameter, and only parameters of the model"
        )
    return found


def matches(op: str, predicate: Callable[[Parameter], Any], key: str, param: Parameter) -> bool:
    """Return whether ``predicate(param)`` is true, for a parameter that has data."""
    if param.data is None:
        raise ArgumentError(
            f"{op}: the parameter {key!r} has no data yet; pass the input size to its layer, or "
            "run one forward pass first"
        )
    return bool(predicate(param))
