"""Define the op table of dezero-nn; every new op needs a row in a module of this package."""

from __future__ import annotations

from ...check import Check
from ...checks.images import image_checks
from ...checks.layers import layer_checks
from ...checks.training import training_checks
from ...checks.transformers import transformer_checks
from ...op_case import OpCase
from . import (
    activations,
    attention,
    basic,
    convolutions,
    ctc,
    group_norm,
    losses,
    recurrent,
    resampling,
    sampling,
    transformers,
)

MODULES = (
    activations,
    attention,
    basic,
    convolutions,
    ctc,
    group_norm,
    losses,
    recurrent,
    resampling,
    sampling,
    transformers,
)
"""The modules with rows; each defines `cases`."""


def cases() -> list[OpCase | Check]:
    """Return the rows of every op of dezero-nn, and the checks of its layers and optimizers."""
    return [
        *(case for module in MODULES for case in module.cases()),
        *layer_checks(),
        *image_checks(),
        *transformer_checks(),
        *training_checks(),
    ]
