"""Define `Layer`, the base class of layers and models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dezero_core import Buffer, Config, Parameter, Variable
from dezero_core.errors import ArgumentTypeError, DezeroError, UnsupportedType
from dezero_core.hints import explain_call
from dezero_core.state import (
    HookHandle,
    LoadReport,
    PyTorchArray,
    load_weights,
    named_params,
    recorder,
    save_weights,
)

from ..calls import require_call
from ..hints import LAYER, no_attribute
from .attributes import (
    INPUTS,
    OUTPUTS,
    PYTORCH_NAMES,
    STORED,
    LastCall,
    require_own_name,
    require_variable,
    weakly,
)
from .first_pass import materialize
from .hooks import HOOKS, LayerHook, add_hook
from .paths import innermost_first, named_layers, path_to, sublayers
from .printing import described
from .training import (
    FLAG,
    MODES,
    Training,
    flags_apply,
    flags_of,
    require_mode,
    set_flag,
    takes_mode,
)

watching: ContextVar[Callable[[Layer, tuple[Any, ...]], None] | None] = ContextVar(
    "dezero.watching", default=None
)
"""The function that each layer calls with itself and its outputs, or None; set by `summary`."""

recordings = recorder.entries.get  # empty unless a step is recorded; faster than `recorder.get`


class Layer:
    """Base class of layers and models (book step 44). Subclasses define ``forward``.

    A layer contains the Parameters, Buffers and layers that are its attributes or are in lists,
    tuples and dictionaries among its attributes, in the order in which the attributes were set.

    Attributes:
        inputs, outputs: weak references to the inputs and outputs of the last call:
            ``layer.outputs[0]()`` is the Variable, or None after the Variable was freed (the book's
            Grad-CAM reads these references).
        training: whether the layer is in training mode: the flag that `train` or `eval` set, or
            ``Config.train`` if neither was called.

    A subclass may use the names ``inputs``, ``outputs`` and ``training``, and the names of methods,
    for its own attributes.
    """

    _needed: ClassVar[tuple[str, ...]] = ()  # parameters and buffers that cannot be None
    _optional: ClassVar[tuple[str, ...]] = ()  # parameters that may be None
    inputs: Any = LastCall(INPUTS)
    outputs: Any = LastCall(OUTPUTS)
    if TYPE_CHECKING:
        training: Any
    else:
        training = Training()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Create a layer; raise an error with a hint for an unknown keyword."""
        if args or kwargs:
            require_call(cls, args, kwargs)
        return super().__new__(cls)

    def __call__(self, *inputs: Any, **settings: Any) -> Variable:
        """Run ``forward``; if it raises a DeZero error, add the path of this layer to the message.

        The return type is Variable even if ``forward`` returns several Variables, because type
        checkers allow programs to unpack and index a Variable.
        """
        state = vars(self)
        mode = state.get(FLAG)
        if recordings() and (recording := recorder.get()) is not None:
            recording.guard(partial(flags_of, state))
        try:
            if mode is None or mode is Config.train or not flags_apply():
                result = self.forward(*inputs, **settings)
            else:  # the functions called by forward must use the flag too
                result = MODES[mode].call(self.forward, *inputs, **settings)
            if HOOKS in state:
                result = state[HOOKS].run(self, inputs, result)
        except (DezeroError, TypeError, AttributeError) as error:
            self._explain(error, inputs, settings)
            raise
        outputs = result if isinstance(result, tuple) else (result,)
        state[INPUTS], state[OUTPUTS] = weakly(inputs), weakly(outputs)
        watch = watching.get()
        if watch is not None:
            watch(self, outputs)
        return result

    if not TYPE_CHECKING:  # type checkers must report unknown attributes

        def __getattr__(self, name: str) -> Any:
            return no_attribute(self, name, LAYER)

        def __setattr__(self, name: str, value: object) -> None:
            """Set an attribute; an array cannot replace a Parameter or Buffer.

            A Buffer without ``reduce`` gets the ``reduce`` of the Buffer that it replaces.
            """
            cls, current = type(self), self.__dict__.get(name)
            if name in PYTORCH_NAMES:
                require_own_name(self, name)
            if isinstance(current, STORED) or name in cls._needed or name in cls._optional:
                require_variable(self, name, value)
                if isinstance(current, Buffer) and isinstance(value, Buffer):
                    value.reduce = value.reduce or current.reduce
            if recordings() and (recording := recorder.get()) is not None:
                recording.changes(self, name, value)
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return described(self, ())

    def __getstate__(self) -> dict[str, Any]:
        """Return all attributes except the hooks and the last call, for copies and pickles."""
        return {k: v for k, v in vars(self).items() if k not in (INPUTS, OUTPUTS, HOOKS)}

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        """Compute the output; subclasses define this method with the arguments that they need."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def _explain(self, error: Exception, inputs: tuple[Any, ...], settings: dict[str, Any]) -> None:
        """Add this layer to the path of an error; raise a clearer error for wrong arguments."""
        is_unexplained = type(error) in (TypeError, AttributeError, UnsupportedType)
        is_replaced = "forward" in vars(self)  # its parameters may be others
        if is_unexplained and not is_replaced and not hasattr(error, "_raised_in"):
            name = f"{type(self).__name__}.forward"
            try:
                explain_call(name, type(self).forward, (self, *inputs), settings, error)
            except DezeroError as explanation:
                self._add_to_path(explanation)
                raise
        if isinstance(error, DezeroError):
            self._add_to_path(error)

    def _add_to_path(self, error: DezeroError) -> None:
        """Prefix the error's path with the path from this layer to the layer that raised it."""
        below = getattr(error, "_raised_in", None)
        if below is not None:
            error.layer_path = (path_to(self, below) or "?", *error.layer_path)
        error._raised_in = self  # type: ignore[attr-defined]

    def register_hook(self, hook: LayerHook) -> HookHandle:
        """Call ``hook(layer, inputs, output)`` after each call of this layer.

        Hooks show the activations of a network, and gradients too, if the hook registers a hook of
        the output: ``lambda layer, inputs, y: y.register_hook(gradients.append)``. Several hooks
        run in the order of registration. Copies and pickles of the layer have no hooks.

        Args:
            hook: a function of this layer, the tuple of its positional inputs, and the output of
                ``forward``. The hook may return a new output, which replaces the output, or None.

        Returns:
            a handle with ``remove()``; the handle is also a context manager.

        Raises:
            ArgumentTypeError: ``hook`` is not callable; or, at a call of the layer, the hook
                returned neither None nor Variables.
        """
        return add_hook(self, hook)

    def children(self) -> Iterator[Layer]:
        """Return an iterator over the direct sublayers, in order of definition."""
        return iter(sublayers(self).values())

    def named_layers(self) -> dict[str, Layer]:
        """Return a dictionary from paths, such as ``blocks/0``, to this layer and all sublayers.

        The path of this layer is the empty string.
        """
        return named_layers(self)

    def apply(self, function: Callable[[Any], object]) -> Self:
        """Call a function with each layer once, sublayers first and this layer last; return self.

        Raises:
            ArgumentTypeError: ``function`` is not callable.
        """
        if not callable(function):
            raise ArgumentTypeError(
                f"{type(self).__name__}.apply: got {type(function).__name__}; expected a function "
                "of a layer"
            )
        for layer in list(innermost_first(self)):  # a list, because the function may change layers
            function(layer)
        return self

    def named_params(self) -> dict[str, Parameter | Buffer]:
        """Return a dictionary from keys, such as ``blocks/0/W``, to Parameters and Buffers."""
        return named_params(self)

    def materialize(self, *inputs: Any, **settings: Any) -> Self:
        """Create the parameters whose shapes depend on the first input; return self.

        ``forward`` runs once in test mode, without a graph and without updates of Buffers. If every
        Parameter and Buffer has data, ``forward`` does not run. Initial weights are drawn from
        DeZero's generator as in the first call of the layer. Dropout draws nothing in test mode.

        Args:
            inputs, settings: the arguments of ``forward``. Only shapes, dtypes and devices of
                arrays matter, so an input may be zeros with one row.

        Raises:
            ArgumentError: ``forward`` does not use a parameter in test mode. After this error, and
                after an error in ``forward``, the layer and the generator are as before the call.
        """
        materialize(self, inputs, settings)
        return self

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        """Return a dictionary from this layer's keys to the arrays of PyTorch's equivalent layer.

        A layer that only contains other layers returns an empty dictionary, because each of those
        layers describes its own arrays. `dezero_io.load_pytorch_weights` calls this method.
        """
        return {}

    def params(self) -> Iterator[Parameter]:
        """Return an iterator over every Parameter, in order of definition."""
        return (x for x in named_params(self).values() if isinstance(x, Parameter))

    def _flatten_params(self, params_dict: dict[str, Any], parent_key: str = "") -> None:
        """Add every Parameter and Buffer to ``params_dict`` (book step 53)."""
        prefix = f"{parent_key}/" if parent_key else ""
        params_dict.update({prefix + key: x for key, x in named_params(self).items()})

    def cleargrads(self) -> None:
        """Set all parameters' gradients to None; a backward pass would add to old gradients."""
        for x in named_params(self).values():  # an attribute may have the name of a method
            if isinstance(x, Parameter):
                x.cleargrad()

    def train(self, mode: bool | None = True) -> Self:
        """Set the training flag, which overrides ``Config.train``, of this layer and all sublayers.

        Functions that ``forward`` calls, such as ``dropout``, use the flag of the innermost running
        layer that has a flag. A layer without a flag, such as a layer that was added to the model
        later, also uses that flag. Copies and pickles keep the flags; weight files do not.

        As in PyTorch, if the class of a sublayer defines ``train(self, mode)``, that method is
        called, so that the method can keep a part of the sublayer in evaluation mode.

        Args:
            mode: True for training, False for evaluation; None removes the flags, so that the
                layers use ``Config.train`` again, like new layers.

        Returns:
            self.

        Raises:
            ArgumentError: ``mode`` is not True, False or None.
        """
        mode = require_mode(type(self).__name__, mode)
        seen: dict[int, Layer] = {}
        todo: list[Layer] = [self]
        while todo:
            layer = todo.pop()
            if id(layer) in seen:
                continue
            seen[id(layer)] = layer
            if layer is not self and has_own_train(layer):
                layer.train(mode)
                continue
            if isinstance(layer, Layer):
                set_flag(layer, mode)
            todo += reversed(sublayers(layer).values())
        return self

    def eval(self) -> Self:
        """Set this layer and all its sublayers to evaluation mode; return self.

        Batch normalisation then uses its running statistics and does not update them; dropout
        returns its input. The mode holds in every thread, until `train` is called. In evaluation
        mode the graph is still recorded, unless the layer is called under `no_grad`.
        """
        return self.train(False) if has_own_train(self) else Layer.train(self, False)

    def to(self, name: str) -> Layer:
        """Move all parameters and buffers to backend ``name``; return self."""
        for x in named_params(self).values():
            x.to(name)
        return self

    def to_cpu(self) -> Layer:
        """Move all parameters and buffers to the host; return self."""
        for x in named_params(self).values():
            x.to_cpu()
        return self

    def to_gpu(self) -> Layer:
        """Move all parameters and buffers to the registered accelerator; return self."""
        for x in named_params(self).values():
            x.to_gpu()
        return self

    def save_weights(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write parameters and buffers to a file; see `dezero_core.weights.save_weights`."""
        save_weights(self, path, **options)

    def load_weights(self, path: str | os.PathLike[str], **options: Any) -> LoadReport:
        """Load all arrays of a file, or none; see `dezero_core.weights.load_weights`."""
        return load_weights(self, path, **options)


def has_own_train(layer: Layer) -> bool:
    """Return whether a layer's class has its own ``train`` method, with a parameter ``mode``."""
    method = getattr(type(layer), "train", None)
    return method is not Layer.train and takes_mode(method)
