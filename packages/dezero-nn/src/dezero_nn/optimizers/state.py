"""Save, load and copy the state that an optimizer stores for each parameter."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Self

from dezero_core import Parameter
from dezero_core.errors import FormatError, GraphError, KeyMismatch, ShapeMismatch
from dezero_core.extend import backend_of
from dezero_core.state import named_params, on_device_of, updating

from ..identity import WeakIdentityDict
from .settings import numbers_of, require_state


class Stateful:
    """Base class of `Optimizer`, with settings and a dictionary of state for each parameter.

    Attributes:
        target: the model or tree of layers whose parameters are optimized; None before ``setup``.
        param_states: a weak dictionary from parameters to their states, each a dictionary of arrays
            and numbers. Write to this dictionary inside `dezero_core.state.updating`.
    """

    def __init__(self) -> None:
        self.target: Any = None
        self.param_states: WeakIdentityDict[Parameter, dict[str, Any]] = WeakIdentityDict()

    def state_dict(self) -> dict[str, Any]:
        """Return a dictionary of the settings and of each parameter's state, for a checkpoint.

        The arrays are copied while no update runs, so later updates do not change the copies.

        Raises:
            GraphError: ``setup`` was not called.
        """
        by_id, state = self._keyed_by_id(), {}
        with updating():
            for key, p in self.target_params().items():
                own = {name: values[id(p)] for name, values in by_id.items() if id(p) in values}
                if own or p in self.param_states:
                    state[key] = copy_state_arrays({**self.param_states.get(p, {}), **own})
            return {"settings": numbers_of(self), "parameters": state, **self._saved_groups()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state that ``state_dict`` of an optimizer of the same class returned.

        The arrays are copied, so later updates do not change ``state``.

        Raises:
            ArgumentError: a setting is out of its range.
            GraphError: ``setup`` was not called.
            KeyMismatch: ``state`` is not of ``state_dict``, or has settings or parameters that this
                optimizer does not have.
            ShapeMismatch: the state was saved for parameters with different shapes.
        """
        require_state(self, state, "settings", "parameters")
        self._staged(state, copy_state_arrays)()

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check a state; return a function that loads it without copying its arrays.

        `dezero_io.load_checkpoint` calls this method, because arrays that were read from a file
        need not be copied. The values in the arrays are not checked.

        Raises:
            ArgumentError, GraphError, KeyMismatch, ShapeMismatch: as for `load_state_dict`. After
                these errors, the optimizer is unchanged.
        """
        return self._staged(state, dict)

    def _staged(
        self, state: dict[str, Any], copy_state: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> Callable[[], None]:
        """Implement `stage_state`; ``copy_state`` copies the state of a parameter."""
        named = self.target_params()
        self._require_fit(state, named)
        parameters = {key: copy_state(x) for key, x in state["parameters"].items()}
        with updating():  # the check sets the settings, so no update may run
            before = numbers_of(self)
            try:
                self._set(state["settings"])
                groups = self._loaded_groups(state, named)
            finally:
                self._set(before)

        def commit() -> None:
            with updating():
                self._set(state["settings"])
                vars(self).update(groups)
                self.param_states.clear()
                by_id = {
                    name: value for name, value in vars(self).items() if isinstance(value, dict)
                }
                for values in by_id.values():
                    values.clear()
                for key, loaded in parameters.items():
                    param = named[key]
                    for name in by_id.keys() & loaded.keys():
                        by_id[name][id(param)] = loaded.pop(name)
                    self.param_states[param] = loaded

        return commit

    def _require_fit(self, state: dict[str, Any], named: dict[str, Parameter]) -> None:
        """Check that a state matches this optimizer's settings and its model's keys and shapes."""
        unknown = [name for name in state["settings"] if name not in vars(self)]
        members = [key for group in state.get("groups", ()) for key in group["params"]]
        unknown += [key for key in (*state["parameters"], *members) if key not in named]
        if unknown:
            raise KeyMismatch(
                f"the state is not of this {type(self).__name__} and its model: unexpected "
                f"{', '.join(map(repr, unknown))}"
            )
        for key, values in state["parameters"].items():
            for name, value in values.items():
                shape = getattr(value, "shape", ())
                if named[key].data is not None and shape not in ((), named[key].shape):
                    raise ShapeMismatch(
                        f"the state of {type(self).__name__} does not fit the model, nothing was "
                        f"loaded: {key!r}: model {named[key].shape}, {name!r} is {shape}"
                    )

    def _saved_groups(self) -> dict[str, Any]:
        """Return the part of the state that describes groups; `Optimizer` overrides this method."""
        return {}

    def _loaded_groups(self, state: dict[str, Any], named: dict[str, Parameter]) -> dict[str, Any]:
        """Return the attributes to set for the groups in ``state``; see `_saved_groups`."""
        return {}

    def _set(self, settings: dict[str, Any]) -> None:
        """Assign the settings to attributes; each assignment checks the value."""
        for name, value in settings.items():
            setattr(self, name, value)

    def target_params(self) -> dict[str, Parameter]:
        """Return the Parameters of the target by key.

        Raises:
            GraphError: ``setup`` was not called.
        """
        if self.target is None:
            raise GraphError(f"{type(self).__name__}: call setup(model) first")
        named = named_params(self.target).items()
        return {key: p for key, p in named if isinstance(p, Parameter)}

    def settle(self, params: Iterable[Parameter]) -> None:
        """Let a lazy library compute the arrays of the next step; see `ArrayBackend.settle`.

        An update calls this method at its end, when other threads may update again.

        Args:
            params: the changed parameters; only the libraries of their arrays compute.
        """
        backends = {backend_of(x) for x in {type(p.data): p.data for p in params}.values()}
        for backend in backends:
            if "lazy" in backend.capabilities:
                leaves = named_params(self.target).values()
                kept = [x.data for x in leaves]
                kept += [x.grad.data for x in leaves if x.grad is not None]
                kept += [x for state in self.param_states.values() for x in state.values()]
                own = [x for x in kept if hasattr(x, "dtype") and backend_of(x) is backend]
                backend.settle(own)

    def _known_params(self) -> list[Parameter]:
        """Return the parameters of the target, and all other parameters that have a state."""
        known = list(self.target_params().values()) if self.target is not None else []
        return [*known, *self.param_states]

    def _keyed_by_id(self) -> dict[str, dict[int, Any]]:
        """Return the attributes that are dictionaries keyed by ``id(param)``, as in the book."""
        ids = {id(param) for param in self._known_params()}
        return {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, dict) and value and value.keys() <= ids
        }

    # The state is keyed by parameter objects. __getstate__ stores it as a list of pairs, so that a
    # copy of the optimizer and its model has the copied parameters as keys. Subclasses written as
    # in the book have dictionaries keyed by id(param); __setstate__ replaces the keys,
    # because the copied parameters have new ids.

    def __getstate__(self) -> dict[str, Any]:
        ids = {id(param): param for param in self._known_params()}
        return {**vars(self), "param_states": list(self.param_states.items()), "_ids": ids}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        """Set the attributes of a copy or pickle.

        Raises:
            FormatError: a version of DeZero with other attributes wrote the pickle.
        """
        if not {"_ids", "param_states"} <= attributes.keys():
            raise FormatError(
                f"{type(self).__name__}: another version of DeZero wrote this pickle; expected a "
                "pickle of this version; load it with that version, and save it with "
                "save_checkpoint, whose files later versions load"
            )
        ids = attributes.pop("_ids")
        for name, value in attributes.items():
            if isinstance(value, dict) and value and value.keys() <= ids.keys():
                pairs = [(id(ids[key]), x) for key, x in value.items()]
                value.clear()
                value.update(pairs)
            vars(self)[name] = value
        self.param_states = WeakIdentityDict(attributes["param_states"])

    def __copy__(self) -> Self:
        """Return a copy of the optimizer that shares the model and its parameters."""
        shared = [self.target, *self._known_params()]
        return copy.deepcopy(self, {id(x): x for x in shared})


def copy_state_arrays(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a parameter with its arrays copied, on the same devices."""
    copies = {}
    for name, value in state.items():
        if hasattr(value, "shape"):
            with on_device_of(value):
                copies[name] = backend_of(value).copy(value)
        else:
            copies[name] = copy.deepcopy(value)
    return copies
