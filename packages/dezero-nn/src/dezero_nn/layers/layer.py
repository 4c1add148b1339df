"""Layer: something with parameters, made of other layers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from weakref import ref

from dezero_core import Buffer, Parameter, Variable
from dezero_core.errors import DezeroError
from dezero_core.extend import (
    LoadReport,
    PyTorchArray,
    children,
    load_weights,
    named_params,
    save_weights,
)


class Layer:
    """Base of everything with parameters (book step 44).

    Parameters, Buffers and layers are found where they are: in attributes, also inside lists,
    tuples and dictionaries, in the order in which they were set. Subclasses define ``forward``.

    Attributes:
        inputs, outputs: of the last call, as weak references: ``layer.outputs[0]()`` is the
            Variable, or None once nobody else holds it (the book's Grad-CAM reads it).
    """

    inputs: tuple[ref[Any] | None, ...] = ()
    outputs: tuple[ref[Any] | None, ...] = ()

    def __call__(self, *inputs: Any) -> Any:
        """Run ``forward``; an error of ours will name the layers it came through."""
        try:
            result = self.forward(*inputs)
        except DezeroError as error:
            self._add_to_path(error)
            raise
        self.inputs = weakly(inputs)
        self.outputs = weakly(result if isinstance(result, tuple) else (result,))
        return result

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave out what the last call was about."""
        return {k: v for k, v in vars(self).items() if k not in ("inputs", "outputs")}

    def forward(self, *inputs: Any) -> Any:
        """What the layer computes."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def _add_to_path(self, error: DezeroError) -> None:
        """Prefix the error's path with the name by which this layer knows the one below."""
        below = getattr(error, "_raised_in", None)
        if below is not None:
            error.layer_path = (path_to(self, below) or "?", *error.layer_path)
        error._raised_in = self  # type: ignore[attr-defined]

    def named_params(self) -> dict[str, Parameter | Buffer]:
        """Every Parameter and Buffer by key (``l1/W``, ``blocks/0/W``), in order of definition."""
        return named_params(self)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        """Where this layer's arrays are in PyTorch's layer of the same kind, by our key.

        A layer that is made of others leaves it to them, and returns an empty dictionary.
        `dezero_io.load_pytorch_weights` reads it.
        """
        return {}

    def params(self) -> Iterator[Parameter]:
        """Every Parameter, in order of definition."""
        return (x for x in self.named_params().values() if isinstance(x, Parameter))

    def _flatten_params(self, params_dict: dict[str, Any], parent_key: str = "") -> None:
        """Add every Parameter and Buffer to ``params_dict`` (book step 53)."""
        prefix = f"{parent_key}/" if parent_key else ""
        params_dict.update({prefix + key: x for key, x in self.named_params().items()})

    def cleargrads(self) -> None:
        """Forget the gradients of all parameters: those of several backwards add up."""
        for param in self.params():
            param.cleargrad()

    def to(self, name: str) -> Layer:
        """Move all parameters and buffers to backend ``name``; returns self."""
        for x in self.named_params().values():
            x.to(name)
        return self

    def to_cpu(self) -> Layer:
        """Move all parameters and buffers to the host; returns self."""
        for x in self.named_params().values():
            x.to_cpu()
        return self

    def to_gpu(self) -> Layer:
        """Move all parameters and buffers to the registered accelerator; returns self."""
        for x in self.named_params().values():
            x.to_gpu()
        return self

    def save_weights(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write parameters and buffers to a file; see `dezero_core.weights.save_weights`."""
        save_weights(self, path, **options)

    def load_weights(self, path: str | os.PathLike[str], **options: Any) -> LoadReport:
        """Read parameters and buffers, all or nothing; see `dezero_core.weights.load_weights`."""
        return load_weights(self, path, **options)


def weakly(xs: tuple[Any, ...]) -> tuple[ref[Any] | None, ...]:
    """Weak references to Variables and arrays; None for what cannot have any, such as numbers."""
    try:
        return tuple([ref(x) for x in xs])
    except TypeError:
        return tuple([ref(x) if isinstance(x, Variable) else None for x in xs])


def sublayers(layer: Layer) -> dict[Layer, str]:
    """The layers directly below, also those in lists and dictionaries, with their names.

    As for keys, the name of an attribute comes before that in a list.
    """
    names: dict[Layer, str] = {}
    for name, child in _branches(layer, ""):
        if "/" not in name or child not in names:
            names[child] = name
    return names


def _branches(node: Any, path: str) -> Iterator[tuple[str, Layer]]:
    for name, child in children(node):
        if isinstance(child, Layer):
            yield path + name, child
        elif isinstance(child, list | tuple | dict):
            yield from _branches(child, f"{path}{name}/")


def path_to(layer: Layer, below: Layer, above: tuple[Layer, ...] = ()) -> str:
    """By which names one comes from a layer to one anywhere below; empty if it is not there."""
    names = sublayers(layer)
    if below in names:
        return names[below]
    for child, name in names.items():
        if child not in above and (rest := path_to(child, below, (*above, layer))):
            return f"{name}/{rest}"
    return ""
