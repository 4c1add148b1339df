"""The book's ``dezero.models``."""

from dezero_nn.models import MLP, Model, Sequential

__all__ = ["MLP", "Model", "Sequential"]
