"""Provide transforms of arrays and PIL images."""

from .arrays import AsType, Compose, Flatten, Normalize, ToFloat, ToInt
from .images import (
    CenterCrop,
    Convert,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    ToArray,
    ToPIL,
)

__all__ = [
    "AsType",
    "CenterCrop",
    "Compose",
    "Convert",
    "Flatten",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Resize",
    "ToArray",
    "ToFloat",
    "ToInt",
    "ToPIL",
]
