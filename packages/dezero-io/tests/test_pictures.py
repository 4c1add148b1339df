"""Transforms of PIL images."""

from typing import Any

import numpy as np
import pytest

from dezero_core import seed
from dezero_core.backends import host
from dezero_core.errors import ArgumentError, ShapeError
from dezero_io import DataLoader, Dataset
from dezero_io.transforms import (
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
    host._own_generator = None


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
    with pytest.raises(ArgumentError, match=r"p 1.5 is not from 0 to 1"):
        RandomHorizontalFlip(1.5)


def test_pictures_in_a_loader() -> None:
    class Pictures(Dataset):
        def prepare(self) -> None:
            self.data, self.label = [picture()] * 3, np.arange(3)

    transform = Compose([Resize((3, 2)), ToArray(), Normalize((0, 1, 2), (1, 2, 3))])
    x, t = next(iter(DataLoader(Pictures(transform=transform), 2, shuffle=False)))
    assert x.shape == (2, 3, 2, 3) and x.dtype == np.float32 and t.tolist() == [0, 1]
