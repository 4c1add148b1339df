"""Test the transforms of PIL images."""

from typing import Any

import numpy as np
import pytest

from dezero_core import seed
from dezero_core.backends import host
from dezero_core.errors import ArgumentError, ShapeError
from dezero_io import DataLoader, Dataset
from dezero_io.data.transforms import (
    CenterCrop,
    Compose,
    Convert,
    Normalize,
    RandomHorizontalFlip,
    Resize,
    ToArray,
    ToPIL,
)

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _no_seed_stays() -> Any:
    yield
    host.streams().seeded = None


def picture() -> Any:
    return Image.fromarray(PIXELS)


def test_convert() -> None:
    assert Convert("L")(picture()).mode == "L"
    assert np.array_equal(np.asarray(Convert("BGR")(picture())), PIXELS[:, :, ::-1])
    assert Convert()(Image.fromarray(PIXELS[..., 0])).mode == "RGB"


def test_resize_and_crop() -> None:
    assert Resize(3)(picture()).size == (3, 3)
    assert Resize((3, 2), Image.Resampling.NEAREST)(picture()).size == (3, 2)
    cropped = np.asarray(CenterCrop((4, 2))(picture()))
    assert np.array_equal(cropped, PIXELS[1:3, 1:5])
    assert np.array_equal(np.asarray(CenterCrop((3, 1))(picture())), PIXELS[1:2, 1:4])
    assert np.asarray(CenterCrop(8)(picture()))[0, 0].tolist() == [0, 0, 0]
    for transform in (Resize, CenterCrop):
        with pytest.raises(ArgumentError, match=r"size 1.5 is neither an integer nor a pair"):
            transform(1.5)


def test_there_and_back() -> None:
    x = ToArray()(picture())
    assert x.shape == (3, 4, 6) and x.dtype == np.float32
    assert np.array_equal(np.asarray(ToPIL()(x)), PIXELS)
    grey = ToArray("uint8")(Image.fromarray(PIXELS[..., 0]))
    assert grey.shape == (1, 4, 6) and ToPIL()(grey).mode == "L"
    assert ToArray()(x) is x
    assert ToPIL()(np.full((3, 1, 1), 300.0)).getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ArgumentError, match="expected a PIL image, got list"):
        ToArray()([1])
    with pytest.raises(ShapeError, match=r"\(2, 4, 6\); expected \(C, H, W\)"):
        ToPIL()(x[:2])


def test_flip() -> None:
    assert np.array_equal(np.asarray(RandomHorizontalFlip(1.0)(picture())), PIXELS[:, ::-1])
    assert np.array_equal(RandomHorizontalFlip(1)(PIXELS), PIXELS[..., ::-1])
    assert RandomHorizontalFlip(0)(PIXELS) is PIXELS
    seed(0)
    flip = RandomHorizontalFlip()
    flips = sum(flip(PIXELS) is not PIXELS for _ in range(1000))
    assert 450 < flips < 550
    with pytest.raises(ArgumentError, match=r"p 1.5 is not between 0 and 1"):
        RandomHorizontalFlip(1.5)


def test_images_in_a_loader() -> None:
    class Pictures(Dataset):
        def prepare(self) -> None:
            self.data, self.label = [picture()] * 3, np.arange(3)

    transform = Compose([Resize((3, 2)), ToArray(), Normalize((0, 1, 2), (1, 2, 3))])
    x, t = next(iter(DataLoader(Pictures(transform=transform), 2, shuffle=False)))
    assert x.shape == (2, 3, 2, 3) and x.dtype == np.float32 and t.tolist() == [0, 1]


GREY = np.array([[30000, 0, 65535]], "u2")
TO_8 = [[117, 0, 255]]
SIXTEEN = {
    "I;16": lambda: Image.fromarray(GREY),
    "I;16B": lambda: Image.frombytes("I;16B", (3, 1), GREY.astype(">u2").tobytes()),
    "I": lambda: Image.fromarray(GREY.astype("i4")),
}


@pytest.mark.parametrize("mode", SIXTEEN)
def test_16_bit_greyscale_is_scaled(mode: str) -> None:
    image = SIXTEEN[mode]()
    assert image.mode == mode
    assert np.asarray(Convert("L")(image)).tolist() == TO_8
    for colours in ("RGB", "BGR", "RGBA", "YCbCr"):
        got = np.asarray(Convert(colours)(image).convert("L"))
        assert got.tolist() == TO_8
    assert ToArray("uint8")(image).tolist() == [TO_8]
    np.testing.assert_allclose(ToArray()(image), [GREY * (255 / 65535)], rtol=1e-6)
    for unchanged in (Convert(mode), Resize((3, 1)), CenterCrop((3, 1))):
        assert np.array_equal(np.asarray(unchanged(image)), GREY)
    big = Compose([Resize(8), CenterCrop(4), RandomHorizontalFlip(1), Convert(), ToArray()])
    flat = image.resize((5, 5), Image.Resampling.NEAREST, (0, 0, 1, 1))
    assert np.array_equal(big(flat), np.full((3, 4, 4), 117))


def test_16_bits_are_converted_back() -> None:
    assert np.asarray(ToPIL()(GREY[np.newaxis])).tolist() == TO_8
    assert np.asarray(ToPIL()(GREY[np.newaxis] > 0)).tolist() == [[255, 0, 255]]
    with pytest.raises(ArgumentError, match="ToPIL: the array contains NaN"):
        ToPIL()(np.full((1, 2, 2), np.nan))


@pytest.mark.parametrize("transform", [Convert(), Convert("L"), Convert("BGR"), ToArray("uint8")])
def test_values_without_a_range_are_refused(transform: Any) -> None:
    name = type(transform).__name__
    with pytest.raises(ArgumentError, match=f"{name}: an image of mode 'F' has no fixed range"):
        transform(Image.fromarray(np.full((2, 2), 0.5, "f")))
    for number in (200, -1, 65536):
        with pytest.raises(ArgumentError, match=f"{name}: an image of mode 'I' with values"):
            transform(Image.fromarray(np.full((2, 2), number, "i4")))
    assert np.asarray(transform(Image.new("I", (2, 2)))).max() == 0


def test_floating_images_do_not_change() -> None:
    image = Image.fromarray(np.full((2, 2), -0.5, "f"))
    assert ToArray()(image).tolist() == [[[-0.5] * 2] * 2]
    assert Convert("F")(image) is image
    for mode in ("I", "F", "I;16"):
        with pytest.raises(ArgumentError, match="range of the values is unknown"):
            Convert(mode)(picture())


MODES = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "YCbCr": 3, "HSV": 3}


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_8_bits(mode: str) -> None:
    image = picture().convert(mode)
    x = ToArray()(image)
    assert x.shape == (MODES[mode], 4, 6)
    assert np.array_equal(
        x,
        np.reshape(np.asarray(image), (4, 6, -1)).transpose(2, 0, 1) * (255 if mode == "1" else 1),
    )
    assert np.array_equal(np.asarray(Convert()(image)), np.asarray(image.convert("RGB")))


def test_palettes() -> None:
    image = picture().convert("P")
    colours = np.asarray(image.convert("RGB"))
    for transparency in (None, 0, b"\x00\xff"):
        image.info["transparency"] = transparency
        if transparency is None:
            del image.info["transparency"]
        assert np.array_equal(np.asarray(Convert()(image)), colours)
        with pytest.raises(ArgumentError, match=r"mode 'P' are indices .* Convert\('RGB'\)"):
            ToArray()(image)


def test_images_and_sizes_are_checked() -> None:
    for transform in (Convert(), Resize(2), CenterCrop(2)):
        with pytest.raises(ArgumentError, match=r"expected a PIL image, got ndarray; ToPIL\(\)"):
            transform(PIXELS)
    with pytest.raises(ArgumentError, match=r"put ToArray\(\) first"):
        Normalize()(picture())
    with pytest.raises(ArgumentError, match=r"part \[0\] of example 0: .* put ToArray\(\) first"):
        next(iter(DataLoader([(picture(), 0)], 1)))
    for size in (0, (3, -1), "ab", (1, 2, 3), None):
        with pytest.raises(ArgumentError, match="Resize: size .* neither an integer nor a pair"):
            Resize(size)
    assert Resize(np.array([3, 2]))(picture()).size == CenterCrop([3, 2])(picture()).size == (3, 2)
    assert Resize(np.int64(3))(picture()).size == (3, 3)
    with pytest.raises(ArgumentError, match="ToArray: numbers from .* do not fit in int8"):
        ToArray("int8")(picture())
