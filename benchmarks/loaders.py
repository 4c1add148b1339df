"""Define the timed passes over 20,000 images in batches of 64, loaded by worker processes.

The images are 32x32 pixels, 8 bits, in memory. They are cropped at a random position after padding
by 4 pixels, flipped at random, converted to float32 and normalised, as is usual for CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

COUNT, SIDE, BATCH_SIZE = 20_000, 32, 64
MEAN, DEVIATION = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

Step = Callable[[], None]


@cache
def images() -> tuple[Any, Any]:
    """Return random images (20000, 3, 32, 32), uint8, and labels."""
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (COUNT, 3, SIDE, SIDE), dtype=np.uint8)
    return x, draw.integers(0, 10, COUNT)


def one_pass(batches: Iterable[Any]) -> Step:
    """Return a function that takes all batches once, and counts the images."""

    def step() -> None:
        if sum(len(x) for x, _ in batches) != COUNT:
            raise AssertionError("a pass has lost images")

    return step


def blurred(image: Any) -> Any:
    """Convolve each channel with a Gaussian by FFT, as a transform of about 0.1 ms per image."""
    steps = np.fft.fftfreq(SIDE)[:, None] ** 2 + np.fft.rfftfreq(SIDE) ** 2
    return np.fft.irfft2(np.fft.rfft2(image) * np.exp(-20 * steps)).astype(np.float32)


def dezero_pass(workers: int, heavy: bool = False) -> Step:
    from dezero_io import DataLoader, Dataset
    from dezero_io.data import transforms

    class Images(Dataset):
        def prepare(self) -> None:
            self.data, self.label = images()

    steps = [
        transforms.RandomCrop(SIDE, padding=4),
        transforms.RandomHorizontalFlip(),
        transforms.ToFloat(),
        transforms.Normalize(MEAN, DEVIATION),
    ]
    dataset = Images(transform=transforms.Compose([*steps, *([blurred] if heavy else [])]))
    return one_pass(DataLoader(dataset, BATCH_SIZE, num_workers=workers))


def torchvision_pass(workers: int) -> Step:
    from networks import define_torchvision_ops

    define_torchvision_ops()
    import torch
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.RandomCrop(SIDE, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ConvertImageDtype(torch.float32),
            transforms.Normalize(MEAN, DEVIATION),
        ]
    )
    x, t = images()

    class Images(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return COUNT

        def __getitem__(self, i: int) -> Any:
            return transform(torch.from_numpy(x[i])), int(t[i])

    loader = torch.utils.data.DataLoader(Images(), BATCH_SIZE, shuffle=True, num_workers=workers)
    return one_pass(loader)
