"""Compute two datasets from formulas: a spiral to classify, and a sine to predict."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.extend import generator

from .dataset import Dataset


class Spiral(Dataset):
    """Compute 300 noisy points on three arms of a spiral, one class per arm (book step 48).

    The points are the same as the book's, and do not depend on DeZero's random generator.

    Attributes:
        data: shape (300, 2), float32.
        label: shape (300,), int64 from 0 to 2: the index of the arm.
    """

    def prepare(self) -> None:
        self.data, self.label = get_spiral(self.train)


def get_spiral(train: bool = True) -> tuple[Any, Any]:
    """Return the points, float32 (300, 2), and arms, int64 (300,), of `Spiral` (book step 48)."""
    # The book draws the points from RandomState; the same generator gives the same points.
    draw = np.random.RandomState(1984 if train else 2020)
    arm = np.repeat(np.arange(3), 100)
    radius = np.tile(np.arange(100) / 100, 3)
    angle = 4.0 * arm + 4.0 * radius + 0.2 * draw.randn(300)
    order = draw.permutation(300)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return points.astype(np.float32)[order], arm.astype(np.int64)[order]


class SinCurve(Dataset):
    """Compute one period of a noisy sine, as a series to predict (book step 60).

    The test set is a cosine without noise. The noise of the training set is drawn from DeZero's
    generator.

    Attributes:
        data: shape (999, 1), float64.
        label: shape (999, 1), float64: the value that follows each value of ``data``.
    """

    def prepare(self) -> None:
        x = np.linspace(0, 2 * np.pi, 1000)
        y = np.sin(x) + generator().uniform(-0.05, 0.05, x.shape) if self.train else np.cos(x)
        self.data, self.label = y[:-1, np.newaxis], y[1:, np.newaxis]
