"""Transforms of PIL images, and between images and arrays. They need Pillow."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, MissingPackage, ShapeError
from dezero_core.extend import generator

from ..host_arrays import host_array
from .arrays import converted


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


def eight_bits(name: str, image: Any) -> Any:
    """Return a picture with 8 bits per channel, so that no conversion clips its numbers.

    Grey of 16 bits (modes I;16 and I) becomes mode L, times 255/65535 and rounded.

    Args:
        name: the transform, for the message.
        image: a PIL image.

    Raises:
        ArgumentError: ``image`` is not a PIL image, has mode F (whose range is unknown), or has
            mode I with numbers outside 16 bits.
    """
    require_image(name, image)
    if image.mode == "F":
        raise ArgumentError(
            f"{name}: a picture of mode 'F' has no fixed range of numbers; scale them to 0..255 "
            "and make an image of uint8: Image.fromarray(pixels.astype('uint8'))"
        )
    if image.mode.startswith("I"):
        return sixteen_bits(name, image).point(lambda x: x * (255 / 65535) + 0.5).convert("L")
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")  # as a warning of PIL advises
    return image


def sixteen_bits(name: str, image: Any) -> Any:
    """Convert a picture of mode I or I;16 to mode I, if its numbers fit in 16 bits."""
    low, high = image.convert("I").getextrema()
    if low < 0 or high > 65535 or (image.mode == "I" and 0 < high < 256):
        raise ArgumentError(
            f"{name}: a picture of mode {image.mode!r} with numbers from {low} to {high}, which "
            "may not have 16 bits; convert them first: "
            "Image.fromarray(numpy.asarray(image).astype('uint8')), or 'uint16'"
        )
    return image.convert("I")


def require_image(name: str, image: Any) -> None:
    """Raise `ArgumentError` for anything but a PIL image."""
    if not hasattr(image, "getbands"):
        hint = "; ToPIL() makes one of an array" if isinstance(image, np.ndarray) else ""
        raise ArgumentError(f"{name}: expected a PIL image, got {type(image).__name__}{hint}")


class Convert:
    """Convert an image to another mode; grey of 16 bits is scaled to 8, by 255/65535.

    Args:
        mode: a PIL mode with 8 bits per channel (default ``"RGB"``), or ``"BGR"``: blue and red
            swapped.

    Raises:
        ArgumentError: the image has mode F, or mode I with numbers outside 16 bits; ``mode`` is F,
            I or I;16, and not the image's.
    """

    def __init__(self, mode: str = "RGB") -> None:
        self.mode = mode

    def __call__(self, image: Any) -> Any:
        require_image("Convert", image)
        if image.mode == self.mode:
            return image
        if self.mode.startswith(("I", "F")):
            raise ArgumentError(
                f"Convert: from mode {image.mode!r} to {self.mode!r} the range of the numbers is "
                "unknown; take a mode of 8 bits, such as 'L' or 'RGB'"
            )
        image = eight_bits("Convert", image)
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
        ArgumentError: ``size`` is neither, or below 1; the input is not a PIL image.
    """

    def __init__(self, size: int | tuple[int, int], mode: Any = None) -> None:
        self.size, self.mode = width_and_height("Resize", size), mode

    def __call__(self, image: Any) -> Any:
        require_image("Resize", image)
        mode = pillow().Resampling.BILINEAR if self.mode is None else self.mode
        return image.resize(self.size, mode)


class CenterCrop:
    """The middle of an image; where it is too small, black around it.

    Args:
        size: an integer, or a pair (width, height).

    Raises:
        ArgumentError: ``size`` is neither, or below 1; the input is not a PIL image.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = width_and_height("CenterCrop", size)

    def __call__(self, image: Any) -> Any:
        require_image("CenterCrop", image)
        (width, height), (W, H) = self.size, image.size
        left, top = (W - width) // 2, (H - height) // 2
        return image.crop((left, top, left + width, top + height))


class ToArray:
    """Convert an image to an array (C, H, W) of numbers from 0 to 255; return arrays unchanged.

    The channels are those of the image's mode. Black and white (mode 1) are 0 and 255; grey of
    16 bits is scaled by 255/65535, and rounded in integer dtypes only. Numbers of mode F do not
    change.

    Args:
        dtype: by name or as NumPy's (default float32).

    Raises:
        ArgumentError: the input is neither an image nor an array; it has a palette (modes P and
            PA); ``dtype`` cannot hold its numbers; mode F is converted to integers.
    """

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = np.dtype(dtype).newbyteorder("=")

    def __call__(self, image: Any) -> Any:
        if isinstance(image, np.ndarray):
            return host_array("ToArray", image)
        require_image("ToArray", image)
        pixels = converted("ToArray", pixels_of(image, self.dtype.kind == "f"), self.dtype)
        if pixels.ndim == 2:  # one band
            return pixels[np.newaxis]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def pixels_of(image: Any, floating: bool) -> Any:
    """Return the pixels of an image, (H, W) or (H, W, C), with fractions only if ``floating``."""
    if image.mode in ("P", "PA"):
        raise ArgumentError(
            f"ToArray: the numbers in a picture of mode {image.mode!r} stand for colours of its "
            "palette; put Convert('RGB') first, or use numpy.asarray(image)"
        )
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if floating and image.mode == "F":
        return np.asarray(image)
    if floating and image.mode.startswith("I"):
        return np.asarray(sixteen_bits("ToArray", image)) * (255 / 65535)
    return np.asarray(eight_bits("ToArray", image))


class ToPIL:
    """An array (C, H, W) as an image: `ToArray` undone.

    Numbers are rounded, and clipped to 0 ... 255. Those of uint16 are scaled by 255/65535; True
    becomes 255.

    Raises:
        ShapeError: the array has not three axes, the first of length 1, 3 or 4.
        ArgumentError: a number is NaN.
    """

    def __call__(self, array: Any) -> Any:
        array = host_array("ToPIL", array)
        if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
            raise ShapeError(f"ToPIL: {array.shape}; expected (C, H, W) with C 1, 3 or 4")
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ArgumentError("ToPIL: the array holds NaN, which is not a colour")
        scale = {"bool": 255, "uint16": 255 / 65535}.get(array.dtype.name)
        pixels = np.clip(np.rint(array if scale is None else array * scale), 0, 255)
        pixels = pixels.astype(np.uint8)
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
            return host_array("RandomHorizontalFlip", image)[..., ::-1]
        require_image("RandomHorizontalFlip", image)
        return image.transpose(pillow().Transpose.FLIP_LEFT_RIGHT)


def width_and_height(name: str, size: Any) -> tuple[int, int]:
    """Return ``size`` as a pair of integers of at least 1: one integer stands for both."""
    try:
        width, height = map(index, size if isinstance(size, Iterable) else (size, size))
    except (TypeError, ValueError):
        width = height = 0
    if width < 1 or height < 1:
        raise ArgumentError(
            f"{name}: size {size!r} is neither an integer nor a pair (width, height), at least 1"
        )
    return width, height
