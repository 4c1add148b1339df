"""Define `EMA`, an average of a model's weights over the updates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dezero_core import Parameter
from dezero_core.dtypes import cast, to_single
from dezero_core.errors import ShapeError
from dezero_core.extend import Array, backend_of
from dezero_core.hints import hinted
from dezero_core.state import match_device, named_params, on_device_of, require_tree, updating

from .settings import representation, setting
from .state import Stateful
from .updates import update_op


class EMA(Stateful):
    """Average the weights of a model: mean = decay * mean + (1 - decay) * p.

    The averaged weights often give better predictions than the last weights (Polyak and Juditsky,
    "Acceleration of Stochastic Approximation by Averaging", 1992)::

        optimizer, ema = AdamW(lr=3e-4).setup(model), EMA(model, decay=0.999)
        for x, t in batches:
            ...
            optimizer.update()
            ema.update()
        with ema.applied():
            evaluate(model)

    The first `update` copies the weights. Buffers, such as the running means of batch norm, are not
    averaged. An EMA can be a part of a checkpoint, like an optimizer.

    Args:
        model: a model or layer, or a list or dictionary of layers and Parameters.
        decay: the weight of the earlier mean, in [0, 1) (default 0.999).

    Raises:
        ArgumentError: ``decay`` is out of its range.
        ArgumentTypeError: ``model`` is of an unsupported type, or ``decay`` is not a number.
    """

    decay: float = setting(below=1)

    @hinted
    def __init__(self, model: Any, decay: float = 0.999) -> None:
        super().__init__()
        require_tree("EMA", model, "write EMA(model)")
        self.target, self.decay = model, decay

    def __repr__(self) -> str:
        return representation(self)

    def update(self) -> None:
        """Add the present weights to the averages; call it after each update of the optimizer.

        Raises:
            ShapeError: the shape of a parameter has changed.
        """
        with updating():
            for key, param in self.target_params().items():
                if param.data is not None:
                    with on_device_of(param.data):
                        self.param_states[param] = {"mean": self._mean_with(key, param)}
        self.settle(param for param in self.param_states if param.data is not None)

    def _mean_with(self, key: str, param: Parameter) -> Array:
        """Return the average of a parameter that includes its present value."""
        backend = backend_of(param.data)
        p, state = to_single(param.data, backend), self.param_states.get(param)
        if state is None:
            return backend.copy(p)
        mean = match_device(state["mean"], p)
        if mean.shape != p.shape:
            raise ShapeError(
                f"EMA: the average of {key!r} has shape {tuple(mean.shape)}, the parameter has "
                f"shape {param.shape} now; make a new EMA"
            )
        return update_op([mean], [p], [{}], self._change)[0]

    def _change(self, mean: Array, p: Array, state: dict[str, Any]) -> Array:
        return (p - mean) * (1 - self.decay)

    def copy_to(self, model: Any) -> None:
        """Set the Parameters of ``model`` to the averages of the Parameters with the same keys.

        Parameters without an average keep their values. To store the averages in the model that is
        trained, write ``ema.copy_to(model)`` after the training.

        Raises:
            ShapeError: a Parameter and its average have different shapes; no Parameter changes.
        """
        named, pairs = self.target_params(), []
        for key, param in named_params(model).items():
            state = self.param_states.get(named[key]) if key in named else None
            if state is not None and isinstance(param, Parameter):
                shape = tuple(state["mean"].shape)
                if param.data is not None and param.shape != shape:
                    raise ShapeError(
                        f"EMA.copy_to: the average of {key!r} has shape {shape}, the parameter has "
                        f"shape {param.shape}; pass a model like the averaged one"
                    )
                pairs.append((param, state["mean"]))
        with updating():
            for param, mean in pairs:
                set_data(param, mean)

    @contextmanager
    def applied(self) -> Iterator[Any]:
        """Replace the weights of the model by the averages inside of a with block.

        The block gets the model. At the end of the block, the model has the weights that it had
        before the block; do not train the model inside of the block.
        """
        before = [(param, param.data) for param in self.target_params().values()]
        self.copy_to(self.target)
        try:
            yield self.target
        finally:
            with updating():
                for param, data in before:
                    param.data = data


def set_data(param: Parameter, mean: Array) -> None:
    """Set a parameter to a copy of ``mean``, converted to the dtype and device of the parameter."""
    if param.data is not None:
        mean = match_device(mean, param.data)
    with on_device_of(mean):
        copy = backend_of(mean).copy(mean)
        param.data = copy if param.data is None else cast(copy, param.dtype)
