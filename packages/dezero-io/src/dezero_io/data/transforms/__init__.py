"""Transforms of arrays and of PIL images."""

from .arrays import AsType, Compose, Flatten, Normalize, ToFloat, ToInt
from .images import CenterCrop, Convert, RandomHorizontalFlip, Resize, ToArray, ToPIL

__all__ = [
    "AsType",
    "CenterCrop",
    "Compose",
    "Convert",
    "Flatten",
    "Normalize",
    "RandomHorizontalFlip",
    "Resize",
    "ToArray",
    "ToFloat",
    "ToInt",
    "ToPIL",
]
