"""Run a layer once without training it, to create the parameters that wait for an input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dezero_core import Buffer, Parameter, Variable, no_grad, test_mode, using_config
from dezero_core.errors import ArgumentError
from dezero_core.state import named_params, streams

from .paths import named_layers
from .training import without_flags

if TYPE_CHECKING:
    from .layer import Layer


def materialize(layer: Layer, inputs: tuple[Any, ...], settings: dict[str, Any]) -> None:
    """Create the data of all Parameters and Buffers of a layer; see `Layer.materialize`."""
    if any(x.data is None for x in named_params(layer).values()):
        FirstPass(layer).run(inputs, settings, needs_all=True)


class FirstPass:
    """Run a layer in test mode, without a graph and without updates of Buffers.

    Afterwards, the states of recurrent layers are as before the run. After an error, the
    attributes of layers and DeZero's generators are as before the run too, and the new
    parameters have no data.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.layers: list[Layer] = list(named_layers(layer).values())
        self.attributes = [dict(vars(x)) for x in self.layers]
        self.lazy = [x for x in named_params(layer).values() if x.data is None]
        generators = streams().seeded, streams().of_rank
        own = [each.bit_generator for each in generators if each is not None]
        self.drawn = [(bits, bits.state) for bits in own]

    def run(
        self, inputs: tuple[Any, ...], settings: dict[str, Any], needs_all: bool = False
    ) -> None:
        """Call the layer; with ``needs_all``, require that every parameter then has data.

        Raises:
            ArgumentError: ``needs_all`` is True, and a parameter has no data after the call.
        """
        try:
            # a user's layer may train in spite of test_mode()
            with no_grad(), test_mode(), without_flags(), using_config("update_buffers", False):
                self.layer(*inputs, **settings)
            if needs_all:
                require_data(self.layer)
        except BaseException:
            self.undo()
            raise
        self.restore_states()

    def undo(self) -> None:
        """Restore everything that the pass has changed."""
        for x in self.lazy:
            x.data = None
        for layer, attributes in zip(self.layers, self.attributes, strict=True):
            vars(layer).clear()
            vars(layer).update(attributes)
        for bits, state in self.drawn:
            bits.state = state

    def restore_states(self) -> None:
        """Restore the states of recurrent layers."""
        for layer, attributes in zip(self.layers, self.attributes, strict=True):
            for name in [key for key, value in vars(layer).items() if is_state(value)]:
                if name in attributes:
                    vars(layer)[name] = attributes[name]
                else:
                    del vars(layer)[name]


def is_state(value: object) -> bool:
    """Return whether an attribute is the state of a recurrent layer."""
    return isinstance(value, Variable) and not isinstance(value, Parameter | Buffer)


def require_data(layer: Layer) -> None:
    """Raise `ArgumentError` if a Parameter or Buffer has no data."""
    lazy = [key for key, x in named_params(layer).items() if x.data is None]
    if lazy:
        raise ArgumentError(
            f"{type(layer).__name__}.materialize: forward did not use {', '.join(map(repr, lazy))} "
            "in test mode; expected forward to use every parameter; first call materialize of the "
            "layer that contains the unused parameter, with an input of that layer"
        )
