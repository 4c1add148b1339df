"""The book's ``dezero.models``."""

from dezero_nn.models import CNN, MLP, Model, Sequential

__all__ = ["CNN", "MLP", "Model", "Sequential"]
