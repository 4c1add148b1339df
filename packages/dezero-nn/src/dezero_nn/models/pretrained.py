"""Published weights, found or fetched by whatever package knows them."""

from __future__ import annotations

from dezero_core.extend import plugins

from .model import Model


def load_published(model: Model, name: str) -> None:
    """Load the published file ``name`` into a model that fits it.

    Raises:
        PluginError: no installed package knows the file; dezero-io knows the book's.
        DataMissing: it is nowhere here, and cannot be downloaded.
        WeightsError: it does not fit the model.
    """
    model.load_weights(plugins.fetch(name))
