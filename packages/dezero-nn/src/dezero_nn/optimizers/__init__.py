"""Optimizers: how parameters follow their gradients, and hooks that change those first."""

from .adam import Adam, AdamW
from .adaptive import AdaDelta, AdaGrad
from .gradient_hooks import ClipGrad, FreezeParam, WeightDecay
from .optimizer import Optimizer
from .sgd import SGD, MomentumSGD

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "ClipGrad",
    "FreezeParam",
    "MomentumSGD",
    "Optimizer",
    "WeightDecay",
]
