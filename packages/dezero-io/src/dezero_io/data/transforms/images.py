"""Transform PIL images, and convert them to and from arrays; this needs Pillow."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from dezero_core.arguments import as_integer, as_number
from dezero_core.errors import ArgumentError, MissingPackage, ShapeError
from dezero_core.extend import rank_generator
from dezero_core.hints import hinted

from ..host_arrays import host_array
from .arrays import cast_array, native_dtype

Image = Any
"""A `PIL.Image.Image`; Pillow is optional, so its type is not imported."""


def import_pillow() -> Any:
    """Import and return the module ``PIL.Image``.

    Raises:
        MissingPackage: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackage("images need Pillow: pip install 'dezero-io[image]'") from None
    return Image


def to_8_bits(name: str, image: Image) -> Any:
    """Convert an image to 8 bits per channel, so that later conversions do not clip values.

    16-bit greyscale (modes I;16 and I) becomes mode L: the values are multiplied by 255/65535 and
    rounded.

    Args:
        name: the transform, for the error message.
        image: a PIL image.

    Raises:
        ArgumentError: ``image`` is not a PIL image, has mode F (whose range is unknown), or has
            mode I with numbers outside 16 bits.
    """
    require_image(name, image)
    if image.mode == "F":
        raise ArgumentError(
            f"{name}: an image of mode 'F' has no fixed range of values; scale them to 0..255 "
            "and make an image of uint8: Image.fromarray(pixels.astype('uint8'))"
        )
    if image.mode.startswith("I"):
        return to_16_bits(name, image).point(lambda x: x * (255 / 65535) + 0.5).convert("L")
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")  # a warning of Pillow recommends this conversion
    return image


def to_16_bits(name: str, image: Image) -> Any:
    """Convert an image of mode I or I;16 to mode I, if its values fit in 16 bits."""
    low, high = image.convert("I").getextrema()
    if low < 0 or high > 65535 or (image.mode == "I" and 0 < high < 256):
        raise ArgumentError(
            f"{name}: an image of mode {image.mode!r} with values from {low} to {high}, which "
            "may not have 16 bits; convert them first: "
            "Image.fromarray(numpy.asarray(image).astype('uint8')), or 'uint16'"
        )
    return image.convert("I")


def require_image(name: str, image: object) -> None:
    """Check that ``image`` is a PIL image; raise `ArgumentError` if it is not."""
    if not hasattr(image, "getbands"):
        hint = "; ToPIL() converts an array" if isinstance(image, np.ndarray) else ""
        raise ArgumentError(f"{name}: expected a PIL image, got {type(image).__name__}{hint}")


class Convert:
    """Convert an image to another mode; 16-bit greyscale is scaled to 8 bits, by 255/65535.

    Args:
        mode: a PIL mode with 8 bits per channel (default ``"RGB"``), or ``"BGR"``: RGB with
            red and blue swapped.

    Raises:
        ArgumentError: the image has mode F, or mode I with values outside 16 bits; ``mode`` is F,
            I or I;16, and the image has a different mode.
    """

    @hinted
    def __init__(self, mode: str = "RGB") -> None:
        self.mode = mode

    def __call__(self, image: Image) -> Any:
        require_image("Convert", image)
        if image.mode == self.mode:
            return image
        if self.mode.startswith(("I", "F")):
            raise ArgumentError(
                f"Convert: from mode {image.mode!r} to {self.mode!r} the range of the values is "
                "unknown; choose an 8-bit mode, such as 'L' or 'RGB'"
            )
        image = to_8_bits("Convert", image)
        if self.mode != "BGR":
            return image.convert(self.mode)
        red, green, blue = image.convert("RGB").split()
        return import_pillow().merge("RGB", (blue, green, red))


class Resize:
    """Resize an image, without keeping its aspect ratio.

    Args:
        size: an integer, or a pair (width, height).
        mode: the interpolation, one of ``PIL.Image.Resampling``; bilinear if None.

    Raises:
        ArgumentError: ``size`` is not one or two integers of at least 1; the input is not a PIL
            image.
    """

    @hinted
    def __init__(self, size: int | tuple[int, int], mode: int | None = None) -> None:
        self.size, self.mode = width_and_height("Resize", size), mode

    def __call__(self, image: Image) -> Any:
        require_image("Resize", image)
        mode = import_pillow().Resampling.BILINEAR if self.mode is None else self.mode
        return image.resize(self.size, mode)


class CenterCrop:
    """Crop the centre of an image; if the image is too small, pad it with black.

    Args:
        size: an integer, or a pair (width, height).

    Raises:
        ArgumentError: ``size`` is not one or two integers of at least 1; the input is not a PIL
            image.
    """

    @hinted
    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = width_and_height("CenterCrop", size)

    def __call__(self, image: Image) -> Any:
        require_image("CenterCrop", image)
        (width, height), (W, H) = self.size, image.size
        left, top = (W - width) // 2, (H - height) // 2
        return image.crop((left, top, left + width, top + height))


class ToArray:
    """Convert an image to an array (C, H, W) with values from 0 to 255; return arrays unchanged.

    The array has the channels of the image's mode. In mode 1, black becomes 0 and white becomes
    255. 16-bit greyscale is scaled by 255/65535, and rounded for integer dtypes only. In mode F,
    the values do not change.

    Args:
        dtype: a NumPy dtype or its name (default float32).

    Raises:
        ArgumentError: the input is neither an image nor an array; the image has a palette (modes P
            and PA); ``dtype`` cannot hold the values; ``dtype`` is an integer dtype and the mode is
            F.
    """

    @hinted
    def __init__(self, dtype: DTypeLike = np.float32) -> None:
        self.dtype = native_dtype("ToArray", dtype)

    def __call__(self, image: Image) -> NDArray[Any]:
        if isinstance(image, np.ndarray):
            return host_array("ToArray", image)
        require_image("ToArray", image)
        pixels = cast_array("ToArray", pixels_of(image, self.dtype.kind == "f"), self.dtype)
        if pixels.ndim == 2:  # one channel
            return pixels[np.newaxis]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def pixels_of(image: Image, is_floating: bool) -> NDArray[Any]:
    """Return the pixels of an image, (H, W) or (H, W, C); integers unless ``is_floating``."""
    if image.mode in ("P", "PA"):
        raise ArgumentError(
            f"ToArray: the values of an image of mode {image.mode!r} are indices into its "
            "palette; put Convert('RGB') first, or use numpy.asarray(image)"
        )
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if is_floating and image.mode == "F":
        return np.asarray(image)
    if is_floating and image.mode.startswith("I"):
        return np.asarray(to_16_bits("ToArray", image)) * (255 / 65535)
    return np.asarray(to_8_bits("ToArray", image))


class ToPIL:
    """Convert an array (C, H, W) to an image, the reverse of `ToArray`.

    Values are rounded, and clipped to 0 ... 255. uint16 is scaled by 255/65535; True becomes 255.

    Raises:
        ShapeError: the array does not have three axes, the first of length 1, 3 or 4.
        ArgumentError: a value is NaN.
    """

    def __call__(self, array: ArrayLike) -> Image:
        array = host_array("ToPIL", array)
        if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
            raise ShapeError(f"ToPIL: {array.shape}; expected (C, H, W) with C 1, 3 or 4")
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ArgumentError("ToPIL: the array contains NaN, which is not a colour")
        scale = {"bool": 255, "uint16": 255 / 65535}.get(array.dtype.name)
        pixels = np.clip(np.rint(array if scale is None else array * scale), 0, 255)
        pixels = pixels.astype(np.uint8)
        pixels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
        return import_pillow().fromarray(np.ascontiguousarray(pixels))


class RandomHorizontalFlip:
    """Flip an image, or an array (..., W), from left to right with probability ``p``.

    Args:
        p: the probability, from 0 to 1 (default 0.5).

    Raises:
        ArgumentError: ``p`` is not between 0 and 1.
    """

    @hinted
    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= as_number("RandomHorizontalFlip", "p", p) <= 1:
            raise ArgumentError(f"RandomHorizontalFlip: p {p} is not between 0 and 1")
        self.p = p

    def __call__(self, image: Image) -> Any:
        if rank_generator().random() >= self.p:
            return image
        if isinstance(image, np.ndarray):
            return host_array("RandomHorizontalFlip", image)[..., ::-1]
        require_image("RandomHorizontalFlip", image)
        return image.transpose(import_pillow().Transpose.FLIP_LEFT_RIGHT)

    def batch(self, images: ArrayLike) -> NDArray[Any]:
        """Flip each image of a batch (B, ..., W) with probability ``p``."""
        flipped = np.array(host_array("RandomHorizontalFlip", images))
        chosen = rank_generator().random(len(flipped)) < self.p
        flipped[chosen] = flipped[chosen][..., ::-1]
        return flipped


class RandomCrop:
    """Crop an image, or an array (..., H, W), at a random position.

    Args:
        size: an integer, or a pair (width, height).
        padding: the number of black pixels, or zeros, that are added on each side before the crop
            (default 0).

    Raises:
        ArgumentError: ``size`` is not one or two integers of at least 1; ``padding`` is negative;
            the padded input is smaller than ``size``.
    """

    @hinted
    def __init__(self, size: int | tuple[int, int], padding: int = 0) -> None:
        self.size = width_and_height("RandomCrop", size)
        self.padding = as_integer("RandomCrop", "padding", padding, 0)

    def __call__(self, image: Image) -> Any:
        if isinstance(image, np.ndarray):
            return self.batch(image[np.newaxis])[0]
        require_image("RandomCrop", image)
        (left,), (top,) = self._corners(image.size, 1)
        left, top = int(left) - self.padding, int(top) - self.padding
        return image.crop((left, top, left + self.size[0], top + self.size[1]))

    def batch(self, images: ArrayLike) -> NDArray[Any]:
        """Crop each image of a batch (B, ..., H, W) at a position of its own."""
        images = host_array("RandomCrop", images)
        lefts, tops = self._corners((images.shape[-1], images.shape[-2]), len(images))
        margin = [(self.padding, self.padding)] * 2
        padded = np.pad(images, [(0, 0)] * (images.ndim - 2) + margin) if self.padding else images
        width, height = self.size
        crops = np.empty((*images.shape[:-2], height, width), images.dtype)
        for crop, image, left, top in zip(crops, padded, lefts, tops, strict=True):
            crop[...] = image[..., top : top + height, left : left + width]
        return crops

    def _corners(self, size: tuple[int, int], count: int) -> tuple[Any, Any]:
        """Draw the left and top edges of ``count`` crops from padded images."""
        width, height = (pixels + 2 * self.padding for pixels in size)
        if width < self.size[0] or height < self.size[1]:
            raise ArgumentError(
                f"RandomCrop: an image of {size[0]}x{size[1]} pixels with padding {self.padding} "
                f"is smaller than the crop, {self.size[0]}x{self.size[1]}; give more padding"
            )
        rng = rank_generator()
        lefts = rng.integers(0, width - self.size[0] + 1, count)
        return lefts, rng.integers(0, height - self.size[1] + 1, count)


def width_and_height(name: str, size: int | Iterable[int]) -> tuple[int, int]:
    """Return ``size`` as a pair of integers of at least 1; a single integer is used twice."""
    try:
        width, height = map(index, size if isinstance(size, Iterable) else (size, size))
    except (TypeError, ValueError):
        width = height = 0
    if width < 1 or height < 1:
        raise ArgumentError(
            f"{name}: size {size!r} is neither an integer nor a pair (width, height), at least 1"
        )
    return width, height
