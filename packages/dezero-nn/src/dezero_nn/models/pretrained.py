"""Load published weights through the installed package that can find the weight file."""

from __future__ import annotations

from dezero_core.arguments import require_bool
from dezero_core.extend import plugins

from .model import Model


def wants_published(op: str, pretrained: bool) -> bool:
    """Return whether ``pretrained`` asks for published weights.

    Raises:
        ArgumentError: ``pretrained`` is not a bool but, for example, a number of classes.
    """
    require_bool(op, "pretrained", pretrained, "; for other classes replace the last layer")
    return pretrained


def load_published(model: Model, name: str) -> None:
    """Load the published file ``name`` into a model.

    Raises:
        PluginError: no installed package provides the file; dezero-io provides the files that the
            book uses.
        DataMissing: the file is not on this machine, and cannot be downloaded.
        WeightsError: the file does not fit the model.
    """
    model.load_weights(plugins.fetch(name))
