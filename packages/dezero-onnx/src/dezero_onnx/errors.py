"""Define the errors of exporting."""

from __future__ import annotations

from dezero_core.errors import SaveError


class ExportError(SaveError):
    """A model has no ONNX graph, or its graph computes something else than the model."""
