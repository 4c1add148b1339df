"""Transforms of PIL images, and between images and arrays. They need Pillow."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, MissingPackage, ShapeError
from dezero_core.extend import generator


def pillow() -> Any:
    """The module ``PIL.Image``, imported at first use.

    Raises:
        MissingPackage: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackage("images need Pillow: pip install 'dezero-io[image]'") from None
    return Image


class Convert:
    """An image in another mode.

    Args:
        mode: a mode of PIL (default ``"RGB"``), or ``"BGR"``: blue and red swapped.
    """

    def __init__(self, mode: str = "RGB") -> None:
        self.mode = mode

    def __call__(self, image: Any) -> Any:
        if self.mode != "BGR":
            return image.convert(self.mode)
        red, green, blue = image.convert("RGB").split()
        return pillow().merge("RGB", (blue, green, red))


class Resize:
    """An image stretched to a size.

    Args:
        size: an integer, or a pair (width, height).
        mode: how pixels are interpolated, one of ``PIL.Image.Resampling``; bilinear if None.

    Raises:
        ArgumentError: ``size`` is neither.
    """

    def __init__(self, size: int | tuple[int, int], mode: Any = None) -> None:
        self.size, self.mode = width_and_height("Resize", size), mode

    def __call__(self, image: Any) -> Any:
        mode = pillow().Resampling.BILINEAR if self.mode is None else self.mode
        return image.resize(self.size, mode)


class CenterCrop:
    """The middle of an image; where it is too small, black around it.

    Args:
        size: an integer, or a pair (width, height).

    Raises:
        ArgumentError: ``size`` is neither.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = width_and_height("CenterCrop", size)

    def __call__(self, image: Any) -> Any:
        (width, height), (W, H) = self.size, image.size
        left, top = (W - width) // 2, (H - height) // 2
        return image.crop((left, top, left + width, top + height))


class ToArray:
    """An image as an array (C, H, W); an array stays as it is.

    Args:
        dtype: by name or as NumPy's (default float32).

    Raises:
        ArgumentError: it is neither an image nor an array.
    """

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = dtype

    def __call__(self, image: Any) -> Any:
        if isinstance(image, np.ndarray):
            return image
        if not hasattr(image, "getbands"):
            raise ArgumentError(f"ToArray: expected a PIL image, got {type(image).__name__}")
        pixels = np.asarray(image, self.dtype)
        if pixels.ndim == 2:  # one band
            return pixels[np.newaxis]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


class ToPIL:
    """An array (C, H, W) as an image: `ToArray` undone.

    Numbers are rounded, and kept from 0 to 255.

    Raises:
        ShapeError: the array has not three axes, the first of length 1, 3 or 4.
    """

    def __call__(self, array: Any) -> Any:
        if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
            raise ShapeError(f"ToPIL: {array.shape}; expected (C, H, W) with C 1, 3 or 4")
        pixels = np.clip(np.rint(array), 0, 255).astype(np.uint8)
        pixels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
        return pillow().fromarray(np.ascontiguousarray(pixels))


class RandomHorizontalFlip:
    """Left and right swapped, now and then; of an image, or of an array (..., W).

    Args:
        p: how often, from 0 to 1 (default 0.5).

    Raises:
        ArgumentError: ``p`` is no probability.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ArgumentError(f"RandomHorizontalFlip: p {p} is not from 0 to 1")
        self.p = p

    def __call__(self, image: Any) -> Any:
        if generator().random() >= self.p:
            return image
        if isinstance(image, np.ndarray):
            return image[..., ::-1]
        return image.transpose(pillow().Transpose.FLIP_LEFT_RIGHT)


def width_and_height(name: str, size: Any) -> tuple[int, int]:
    """``size`` as a pair: one integer stands for both."""
    try:
        width, height = size if isinstance(size, tuple | list) else (size, size)
        return index(width), index(height)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{name}: size {size!r} is neither an integer nor a pair (width, height)"
        ) from None
