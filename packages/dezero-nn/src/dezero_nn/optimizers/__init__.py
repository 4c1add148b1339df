"""Define optimizers, hooks that change gradients before an update, and learning-rate schedules."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting

from ..hints import OPTIMIZERS
from .adam import Adam, AdamW
from .adaptive import AdaDelta, AdaGrad, RMSprop
from .gradient_hooks import ClipGrad, FreezeParam, WeightDecay
from .optimizer import Optimizer
from .schedules import CosineDecay, Schedule, StepDecay, WarmUp
from .sgd import SGD, MomentumSGD

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "ClipGrad",
    "CosineDecay",
    "FreezeParam",
    "MomentumSGD",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "WeightDecay",
]

if not TYPE_CHECKING:  # type checkers must report unknown names
    __getattr__ = hinting(__name__, OPTIMIZERS)
