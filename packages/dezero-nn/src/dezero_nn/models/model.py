"""Model: the layer a program trains."""

from __future__ import annotations

from ..layers import Layer


class Model(Layer):
    """A layer that stands for a whole network (book step 45)."""
