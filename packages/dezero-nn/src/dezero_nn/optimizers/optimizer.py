"""Define `Optimizer`, the base class of optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MappingView
from contextlib import AbstractContextManager, nullcontext
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dezero_core import Parameter, get_array_module
from dezero_core.arguments import as_number, require_bool
from dezero_core.dtypes import cast, to_single
from dezero_core.errors import (
    ArgumentError,
    ArgumentTypeError,
    CallError,
    DezeroError,
    ShapeError,
    UnsupportedType,
)
from dezero_core.extend import Array, backend_of
from dezero_core.hints import missing, named
from dezero_core.state import (
    CONTAINER,
    LAYER,
    LEAF,
    NOTHING,
    WITHOUT_KEYS,
    children,
    kind_of,
    match_device,
    named_params,
    on_device_of,
    own_data,
    recorder,
    require_no_recording,
    require_tree,
    set_data,
    step_numbers,
    updating,
)

from ..calls import require_call
from ..hints import OPTIMIZER, OPTIMIZER_KEYWORDS, RATES, no_attribute
from . import updates
from .gradients import gradient_of, with_gradients
from .groups import Group, new_group, selected
from .hook_state import call_hook
from .recording import record_update
from .settings import representation
from .state import Stateful

Hook = Callable[[list[Parameter]], None]
"""A hook takes a list of parameters, and may change their gradients."""


class Optimizer(Stateful):
    """Base class of all optimizers (book step 46). Subclasses define ``delta``, the update rule.

    `copy.deepcopy` and `pickle` of an optimizer copy the state, the hooks and the model. To get the
    copied model too, copy ``(model, optimizer)`` in one call. `copy.copy` copies the state and the
    hooks, and shares the model.

    Attributes:
        rate_name: the name of the attribute that holds the learning rate; schedules set this
            attribute.
        elementwise: whether ``delta`` computes each element only from the elements at the same
            position. If True, ``delta`` may be called with a part of a parameter, or with several
            parameters joined. A class that defines ``delta`` sets ``elementwise`` too; the default
            is False.
        counts_updates: whether each state has an entry ``"t"``, the number of updates of the
            parameter, which `step_rates` advances (default False).
        counted: the names of the numbers in a state that `step_rates` sets if ``counts_updates``
            is True (default ``("t",)``).
        hooks: the functions that `add_hook` added.
        first_hooks: the functions that `add_hook` added with ``first=True``.
        groups: the groups of parameters that `add_group` added.
    """

    rate_name = "lr"
    elementwise: ClassVar[bool] = False
    counts_updates: ClassVar[bool] = False
    counted: ClassVar[tuple[str, ...]] = ("t",)
    groups: tuple[Group, ...] = ()
    first_hooks: tuple[Hook, ...] = ()
    _active: Group | None = None  # the group that is updated now

    def __init_subclass__(cls) -> None:
        """If a class defines ``delta``, inherit neither ``elementwise`` nor ``_update_arrays``."""
        super().__init_subclass__()
        if "delta" in vars(cls) and "elementwise" not in vars(cls):
            cls.elementwise = False
        if "delta" in vars(cls) and "_update_arrays" not in vars(cls):
            cls._update_arrays = Optimizer._update_arrays  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Create an optimizer; for unexpected arguments, raise an error with a hint."""
        if args and is_target(args[0]):
            has_groups = isinstance(args[0], list) and any(isinstance(x, dict) for x in args[0])
            hint = ", and add_group(params, lr=...) for each group" if has_groups else ""
            raise CallError(
                f"{cls.__name__}: the first argument is a number, got {type(args[0]).__name__}; "
                f"write {cls.__name__}(...).setup(model){hint}"
            )
        if args or kwargs:
            require_call(cls, args, kwargs, OPTIMIZER_KEYWORDS, is_tried=True)
        return super().__new__(cls)

    def __init__(self) -> None:
        super().__init__()
        self.hooks: list[Hook] = []

    def __setattr__(self, name: str, value: object) -> None:
        """Convert NumPy numbers to Python numbers, which do not change the dtype of parameters.

        Raises:
            MissingName: ``name`` is another framework's name for the learning rate.
        """
        if name in RATES and hasattr(self, self.rate_name) and name not in vars(self):
            if not hasattr(type(self), name):
                raise missing(type(self).__name__, name, OPTIMIZER, self)
        if isinstance(value, Real) and not isinstance(value, bool):
            require_no_recording(
                f"{type(self).__name__}.{name} = {value}", "set it before the step"
            )
            value = as_number(type(self).__name__, name, value)
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # with __getattr__, type checkers accept any attribute

        def __getattr__(self, name: str) -> Any:
            return no_attribute(self, name, OPTIMIZER)

    def __repr__(self) -> str:
        groups = f" with {', '.join(map(repr, self.groups))}" if self.groups else ""
        return representation(self) + groups

    def setup(self, target: object) -> Self:
        """Optimize the parameters of ``target``; return self.

        Args:
            target: a model or layer, or a list or dictionary of layers and Parameters. Parameters
                that are added to ``target`` later are optimized too.

        Raises:
            ArgumentTypeError: ``target`` is of an unsupported type, such as a generator, or is a
                list with a Variable that is not a Parameter.
            WeightsError: the parameters of ``target`` have no keys; see `named_params`.
        """
        op = f"{type(self).__name__}.setup"
        require_tree(op, target, "write setup(model)")
        named_params(target)
        require_members(op, target)
        self.target = target
        return self

    def add_group(self, params: object, **settings: float) -> Self:
        """Override settings for some of the parameters; return self.

        The usual recipe for transformers decays the matrices, but not the biases and norms::

            optimizer = AdamW(lr=3e-4, weight_decay=0.1).setup(model)
            optimizer.add_group(lambda p: p.ndim < 2, weight_decay=0.0)

        Schedules, and assignments to ``optimizer.lr``, scale the learning rates of all groups by
        the same factor. State dictionaries, checkpoints and copies contain the groups.

        Args:
            params: a function that takes a Parameter and returns whether it belongs to the group;
                or a layer, a Parameter, or an iterable of them. The function is called once, here.
            **settings: settings of the optimizer, such as ``lr`` and ``weight_decay``.

        Raises:
            ArgumentError: no parameter of the model matches, a parameter is in another group or not
                in the model, or has no data yet; or a setting is unknown or out of its range.
            ArgumentTypeError: ``params`` is of an unsupported type.
            GraphError: ``setup`` was not called.
        """
        group = new_group(self, selected(self, params), settings)
        self.groups = (*self.groups, group)
        return self

    def add_hook(self, hook: Hook, *, first: bool = False) -> None:
        """Call ``hook(params)`` before each update, with the parameters that have gradients.

        Hooks run in the order in which they were added; each hook sees the changes made by earlier
        hooks. Copies and pickles of the optimizer have the hooks too.

        Args:
            hook: a function of a list of parameters, or an object such as ``WeightDecay(1e-4)``.
            first: call the hook before all hooks without ``first``, and with all parameters of the
                model, also those without a gradient or data (default False). Such a hook may set
                gradients, such as the mean over several processes.

        Raises:
            ArgumentError: ``hook`` is not callable, or is a class; or ``first`` is not a bool.
        """
        name = f"{type(self).__name__}.add_hook"
        if isinstance(hook, type) or not callable(hook):
            raise ArgumentError(
                f"{name}: hook is {named(hook)} ({type(hook).__name__}); expected a function of a "
                "list of parameters, or an object such as WeightDecay(1e-4)"
            )
        require_bool(name, "first", first, "; True calls the hook before all others")
        if first:
            self.first_hooks = (*self.first_hooks, hook)
        else:
            self.hooks.append(hook)

    def remove_hook(self, hook: Hook) -> None:
        """Remove a hook that `add_hook` added, or the earlier one of two equal hooks.

        Raises:
            ArgumentError: ``hook`` is not a hook of this optimizer.
        """
        first, others = list(self.first_hooks), self.hooks
        found = next((hooks for hooks in (first, others) if hook in hooks), None)
        if found is None:
            raise ArgumentError(
                f"{type(self).__name__}.remove_hook: {named(hook)} is not a hook of this "
                "optimizer; expected the object that was passed to add_hook"
            )
        found.remove(hook)
        self.first_hooks = tuple(first)

    def accumulate(self) -> AbstractContextManager[None]:
        """Return a context manager for every backward pass before an update, except the last one.

        In one process, the context manager has no effect, because gradients add up anyway. In
        several processes (dezero-parallel), the passes in the ``with`` block send no gradients, and
        the update averages the sums of each process::

            with optimizer.accumulate():
                loss(first_half).backward()
            loss(second_half).backward()
            optimizer.update()
        """
        return nullcontext()

    def update(self) -> None:
        """Apply one update to every parameter that has a gradient.

        A parameter's array is changed in place if nothing else refers to it. Otherwise the
        parameter gets a new array (docs/adr/0018), so that existing graphs and views keep their
        values.

        Raises:
            GraphError: ``setup`` was not called.
            ArgumentError: the model has no Parameters.
            ShapeError: a gradient, or the state of an elementwise optimizer, has a different shape
                from its parameter. After this error, all parameters are unchanged.
            BackendMismatch: a gradient and its parameter have different array libraries or devices.
            UnsupportedType: a parameter holds integers or bools, or has no data yet.
        """
        params = updated = self._after_hooks()
        with updating():
            for group in self.groups:
                members = {id(param) for param in group.params}
                with group.applied_to(self):
                    self.update_params([param for param in params if id(param) in members])
                params = [param for param in params if id(param) not in members]
            self.update_params(params)
        self.settle(updated)

    def _after_hooks(self) -> list[Parameter]:
        """Call the hooks; return the parameters that have a gradient afterwards."""
        params = list(self.target_params().values())
        if not params:
            raise ArgumentError(
                f"{type(self).__name__}: the model has no Parameters; set layers and Parameters as "
                "attributes in __init__, or in lists or dictionaries"
            )
        for hook in self.first_hooks:
            with on_device_of(*[p.data for p in params if p.data is not None]):
                call_hook(hook, params)
        found = self._with_gradients(params)
        for hook in self.hooks:
            with on_device_of(*[p.data for p in found]):
                call_hook(hook, found)
            found = self._with_gradients(params)  # a hook may have set or cleared gradients
        return found

    def step(self) -> None:
        """Apply one update: this is PyTorch's name for `update`."""
        self.update()

    def update_one(self, param: Parameter) -> None:
        """Apply the update to one parameter; subclasses may override this instead of ``delta``.

        `update` calls ``update_one`` only while nothing else refers to ``param.data``, so that
        ``update_one`` may write to the array.
        """
        with updating():
            for batch in batches_of(with_gradients([param])):
                self._update_batch(batch)

    def delta(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
        """Return the array to add to a parameter; this is the update rule.

        Args:
            p: the parameter, an array of float32 or wider.
            g: the gradient of the parameter, an array of the same shape and dtype.
            state: a dictionary of arrays and numbers for this parameter, empty at first; ``delta``
                reads and replaces the entries.
        """
        raise NotImplementedError(f"{type(self).__name__} must define delta")

    def rates(self, t: int) -> tuple[float, ...]:
        """Return the numbers in ``delta`` that change between updates, such as the learning rate.

        A subclass that defines ``delta`` may define ``rates`` too, and read the numbers in
        ``delta`` from `step_rates`. Captured steps (docs/gpu.md) then follow schedules, and the
        counts of updates, without being captured again.

        Args:
            t: the number of this update of the parameter, from 1; 0 without ``counts_updates``.
        """
        return ()

    def step_rates(self, states: list[dict[str, Any]], p: Any) -> tuple[Any, ...]:
        """Count an update in each of ``states``, and return the `rates` of this update.

        The result has Python numbers, or 0-d arrays in the dtype of ``p`` while a step is captured.

        Args:
            states: the states of parameters with equal numbers of updates.
            p: an array in the dtype of the parameters.
        """
        group = self._active

        def source() -> tuple[float, ...]:
            if group is None or group is self._active:
                return self._next_rates(states)
            with group.applied_to(self):
                return self._next_rates(states)

        return step_numbers(source, p.dtype)

    def _next_rates(self, states: list[dict[str, Any]]) -> tuple[float, ...]:
        """Count an update in each state; return the `rates` of this update."""
        t = 0
        if self.counts_updates:
            t = states[0].get("t", 0) + 1
            for state in states:
                state["t"] = t
        return self.rates(t)

    def _saved_groups(self) -> dict[str, Any]:
        keys = {id(param): key for key, param in self.target_params().items()}
        saved = [group.state(keys) for group in self.groups]
        return {"groups": saved} if saved else {}

    def _loaded_groups(self, state: dict[str, Any], named: dict[str, Parameter]) -> dict[str, Any]:
        groups = [
            new_group(
                self, [named[key] for key in saved["params"]], saved["settings"], saved["base"]
            )
            for saved in state.get("groups", ())
        ]
        return {"groups": tuple(groups)} if groups else {}  # older files have no groups

    def update_params(self, params: list[Parameter]) -> None:
        """Update parameters with the present settings, without calling hooks.

        `update` calls this method for each group of parameters, inside
        `dezero_core.state.updating`.

        Args:
            params: parameters with gradients.
        """
        if type(self).update_one is not Optimizer.update_one:  # a subclass overrides it
            for param in params:
                own_data(param)
                self.update_one(param)
        else:
            for batch in batches_of(params):
                self._update_batch(batch)

    def _update_batch(self, params: list[Parameter]) -> None:
        """Update parameters of one dtype on one device."""
        require_floating(type(self).__name__, params[0])
        for param in params:
            own_data(param)
        states = [self._state_of(param) for param in params]
        backend = backend_of(params[0].data)
        with on_device_of(*[param.data for param in params]):
            # update half precision in float32, where g**2 and eps do not underflow
            ps = [to_single(param.data, backend) for param in params]
            gs = [
                grad.data if grad.dtype == p.dtype else cast(grad.data, p.dtype)
                for grad, p in zip([param.grad for param in params], ps, strict=True)
                if grad is not None
            ]
            recording = recorder.get()
            if recording is None:
                arrays = self._update_arrays(ps, gs, states)
            else:
                arrays = record_update(recording, self, params, ps, gs, states)
            for param, array in zip(params, arrays, strict=True):
                set_data(param, array if array.dtype == param.dtype else cast(array, param.dtype))

    def _update_arrays(
        self, ps: list[Array], gs: list[Array], states: list[dict[str, Any]]
    ) -> list[Array]:
        """Add ``delta`` to each array, in place if possible; return the arrays.

        A class with a named op for its rule overrides this method, so that a kernel can update all
        arrays at once.
        """
        run = updates.update_op if self.elementwise else updates.update_op.portable
        return run(ps, gs, states, self.delta)

    def _state_of(self, param: Parameter) -> dict[str, Any]:
        """Return the state of a parameter, moved to the current device of the parameter."""
        state = self.param_states.setdefault(param, {})
        for name, value in state.items():
            if isinstance(value, int | float):
                continue
            if self.elementwise and tuple(value.shape) not in ((), param.shape):
                raise ShapeError(
                    f"{type(self).__name__}: the state {name!r} has shape {value.shape}, its "
                    f"parameter {param.name!r} has shape {param.shape} now; make a new "
                    "optimizer after changing the shape of a parameter"
                )
            state[name] = match_device(value, param.data)
        return state

    def _with_gradients(self, params: Iterable[Parameter]) -> list[Parameter]:
        """Return the parameters with a gradient; errors name the key of the parameter."""
        try:
            return with_gradients(params)
        except DezeroError:
            for key, param in self.target_params().items():
                try:
                    gradient_of(param)
                except DezeroError as error:
                    error.layer_path = tuple(key.split("/"))
                    raise error from None
            raise


def is_target(x: object) -> bool:
    """Return whether ``x`` is a model or parameters, also in the forms that PyTorch accepts."""
    if isinstance(x, dict | tuple):
        parts = x.values() if isinstance(x, dict) else x
        has_params = any(isinstance(part, dict) or kind_of(part) in (LEAF, LAYER) for part in parts)
        return has_params or (isinstance(x, dict) and "params" in x)
    return kind_of(x) in (LEAF, CONTAINER, LAYER) or isinstance(x, Iterator | MappingView)


def require_floating(owner: str, param: Parameter) -> None:
    """Raise `UnsupportedType` if a parameter holds integers or bools."""
    if not get_array_module(param).isdtype(param.dtype, ("real floating", "complex floating")):
        raise UnsupportedType(
            f"{owner}: parameter {param.name!r} is {param.dtype} {param.shape}; expected a "
            "floating dtype such as float32; convert its data first"
        )


def batches_of(params: list[Parameter]) -> list[list[Parameter]]:
    """Split parameters into lists of one array type, dtype and device."""
    batches: dict[Any, list[Parameter]] = {}
    for param in params:
        device = backend_of(param.data).device(param.data)
        batches.setdefault((type(param.data), param.dtype, str(device)), []).append(param)
    return list(batches.values())


def require_members(op: str, target: object) -> None:
    """Raise `ArgumentTypeError` for a plain value, such as a number, in lists and dictionaries."""
    for name, child in children(target) if kind_of(target) == CONTAINER else ():
        require_members(op, child)
        if kind_of(child) in (NOTHING, WITHOUT_KEYS) and not callable(child):
            raise ArgumentTypeError(
                f"{op}: {name} is of type {type(child).__name__}; expected a layer or a Parameter; "
                "Parameter(array) makes one of an array, and add_group(params, lr=0.01) gives "
                "parameters settings of their own"
            )
