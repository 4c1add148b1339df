"""Pictures as the arrays that the published image models were trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError

BGR_MEAN = (103.939, 116.779, 123.68)
"""The mean colour of ImageNet in the order blue, green, red, as Caffe's models have it."""


def preprocess(
    image: Any, size: tuple[int, int] | None = (224, 224), dtype: Any = "float32"
) -> Any:
    """Return a picture as the published weights of VGG16 and ResNet want it.

    Args:
        image: a PIL image of any mode.
        size: (width, height) to resize to; None for as it is.
        dtype: dtype of the result (default float32).

    Returns:
        a host array of shape (3, height, width): blue, green, red, the mean colour taken off.

    Raises:
        ArgumentError: ``image`` is no PIL image.
    """
    if not hasattr(image, "convert"):
        raise ArgumentError(
            f"preprocess: expected a PIL image, got {type(image).__name__}; "
            "PIL.Image.fromarray(array) makes one of an array (H, W, 3) of uint8"
        )
    image = image.convert("RGB")
    if size is not None:
        image = image.resize(size)
    pixels = np.asarray(image, dtype)[:, :, ::-1] - np.asarray(BGR_MEAN, dtype)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
