"""Define the errors of exporting."""

from __future__ import annotations

from dezero_core.errors import SaveError


class ExportError(SaveError):
    """A model cannot be exported, or the outputs of its graph differ from those of the model."""
