"""The book's ``dezero.optimizers``."""

from dezero_nn.optimizers import SGD, Adam, Optimizer

__all__ = ["SGD", "Adam", "Optimizer"]
