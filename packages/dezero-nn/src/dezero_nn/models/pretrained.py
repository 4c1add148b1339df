"""Published weights, found or fetched by whatever package knows them."""

from __future__ import annotations

from dezero_core.extend import plugins

from ..layers.weighted import require_bool
from .model import Model


def wants_published(op: str, pretrained: bool) -> bool:
    """Return ``pretrained`` if it is a bool.

    Raises:
        ArgumentError: it is not a bool; it may be meant as a number of classes.
    """
    require_bool(op, "pretrained", pretrained, "for other classes replace the last layer")
    return pretrained


def load_published(model: Model, name: str) -> None:
    """Load the published file ``name`` into a model that fits it.

    Raises:
        PluginError: no installed package knows the file; dezero-io knows the book's.
        DataMissing: it is nowhere here, and cannot be downloaded.
        WeightsError: it does not fit the model.
    """
    model.load_weights(plugins.fetch(name))
