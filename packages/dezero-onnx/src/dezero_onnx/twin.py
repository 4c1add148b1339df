"""Copy a model, so that exporting changes neither its arrays nor its state."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from dezero_core import Variable, no_grad, test_mode
from dezero_core.state import named_params


class Twin:
    """Hold a copy of a model in evaluation mode with other arrays, such as those of a graph.

    Like every copy of a layer, the copy has no hooks, and its recurrent layers have no state.

    Args:
        model: the model.
        arrays: a dictionary from all keys of the model to arrays.
    """

    def __init__(self, model: Any, arrays: Mapping[str, Any]) -> None:
        memo: dict[int, Any] = {}
        for x in named_params(model).values():  # copy neither the arrays nor the gradients
            memo[id(x.data)] = x.data
            memo[id(x.grad)] = None
        self.model = copy.deepcopy(model, memo).eval()
        for key, x in named_params(self.model).items():
            x.data = arrays[key]

    @property
    def layers(self) -> dict[str, Any]:
        """Return a dictionary from paths to the layers of the copy."""
        return self.model.named_layers()

    @property
    def states(self) -> dict[str, Variable]:
        """Return the states of recurrent layers: ``rnn/h`` is the attribute ``h`` of ``rnn``."""
        named = {
            f"{path}/{name}" if path else name: getattr(layer, name)
            for path, layer in self.layers.items()
            for name in getattr(type(layer), "STATES", ())
        }
        return {key: state for key, state in named.items() if state is not None}

    def set_states(self, arrays: Mapping[str, Any]) -> None:
        """Set the states of recurrent layers from a dictionary in the form of ``states``."""
        layers = self.layers
        for key, array in arrays.items():
            path, _, name = key.rpartition("/")
            setattr(layers[path], name, Variable(array))

    def run(self, *inputs: Any) -> tuple[Any, ...]:
        """Return the outputs of the model."""
        with no_grad(), test_mode():
            y = self.model(*inputs)
        return y if isinstance(y, tuple) else (y,)
