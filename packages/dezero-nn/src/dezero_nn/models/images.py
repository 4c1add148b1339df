"""Convert images to the arrays that the published image models expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dezero_core.errors import ArgumentError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

BGR_MEAN = (103.939, 116.779, 123.68)
"""The mean colour of ImageNet in the order blue, green, red, as in Caffe's models."""


def preprocess(
    image: Any, size: tuple[int, int] | None = (224, 224), dtype: DTypeLike = "float32"
) -> Any:
    """Convert an image to the array that the published weights of VGG16 and ResNet expect.

    Args:
        image: a PIL image; 16-bit grey (modes I;16 and I) is scaled to 8 bits, by 255/65535.
        size: (width, height) to resize to; None keeps the size (default (224, 224)).
        dtype: floating dtype of the result (default float32).

    Returns:
        an array on the host, shape (3, height, width): the channels blue, green and red minus the
        mean colour.

    Raises:
        ArgumentError: ``image`` is not a PIL image, has mode F (whose range is unknown), or has
            mode I with values outside 16 bits; ``dtype`` is not floating.
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise ArgumentError(
            f"preprocess: dtype {dtype}; expected a floating dtype: the mean colour has fractions"
        )
    image = eight_bits(image).convert("RGB")
    if size is not None:
        image = image.resize(size)
    exact = np.result_type(dtype, np.float32)
    pixels = np.asarray(image, exact)[:, :, ::-1] - np.asarray(BGR_MEAN, exact)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype.newbyteorder("="))


def eight_bits(image: Any) -> Any:
    """Convert an image to 8 bits per channel; scale 16-bit values by 255/65535 and round them.

    ``dezero_io.data.transforms`` has a copy of this function, because the two packages do not
    import each other.

    Raises:
        ArgumentError: as for `preprocess`.
    """
    if not hasattr(image, "getbands"):
        raise ArgumentError(
            f"preprocess: expected a PIL image, got {type(image).__name__}; "
            "PIL.Image.fromarray(array) makes one of an array (H, W, 3) of uint8"
        )
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")  # as PIL's warning advises
    if not image.mode.startswith(("I", "F")):
        return image
    low, high = image.getextrema() if image.mode == "F" else image.convert("I").getextrema()
    if image.mode == "F" or low < 0 or high > 65535 or (image.mode == "I" and 0 < high < 256):
        raise ArgumentError(
            f"preprocess: a picture of mode {image.mode!r} with values from {low} to {high}, "
            "whose range is unknown; scale them to 0..255 and convert them to an image: "
            "Image.fromarray(pixels.astype('uint8'))"
        )
    return image.convert("I").point(lambda x: x * (255 / 65535) + 0.5).convert("L")
