"""Define optimizers, hooks that change gradients before an update, and learning-rate schedules."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting

from ..hints import OPTIMIZERS
from .adam import Adam, AdamW
from .adam_variants import Adamax, AMSGrad, Lion, NAdam, RAdam
from .adaptive import AdaDelta, AdaGrad, RMSprop
from .averaging import EMA
from .decays import (
    CosineRestarts,
    ExponentialDecay,
    LambdaSchedule,
    LinearDecay,
    MultiStepDecay,
    OneCycle,
)
from .gradient_hooks import ClipGrad, FreezeParam, WeightDecay, clip_grad_norm, clip_grad_value
from .lbfgs import LBFGS
from .muon import Muon
from .optimizer import Optimizer
from .plateau import ReduceLROnPlateau
from .schedules import CosineDecay, Schedule, StepDecay, WarmUp
from .sgd import SGD, MomentumSGD

__all__ = [
    "EMA",
    "LBFGS",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ClipGrad",
    "CosineDecay",
    "CosineRestarts",
    "ExponentialDecay",
    "FreezeParam",
    "LambdaSchedule",
    "LinearDecay",
    "Lion",
    "MomentumSGD",
    "MultiStepDecay",
    "Muon",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "WeightDecay",
    "clip_grad_norm",
    "clip_grad_value",
]

if not TYPE_CHECKING:  # type checkers must report unknown names
    __getattr__ = hinting(__name__, OPTIMIZERS)
