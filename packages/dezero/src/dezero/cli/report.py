"""Pictures of how training went, and of what the model gets wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dezero import Dataset
from dezero_io import atomic_file

from .task import Data
from .training import Curves

SHOWN = 40
"""At most so many misread images are drawn."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file, completely or not at all; the suffix selects its type."""
    with atomic_file(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:].lower())


def draw_curves(curves: Curves, path: Path) -> None:
    """Draw loss and accuracy over epochs, training and test, into an image file."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    epochs = range(1, len(curves.train_loss) + 1)
    panels = (
        ("loss", curves.train_loss, curves.test_loss),
        ("accuracy", curves.train_accuracy, curves.test_accuracy),
    )
    for axes, (title, on_train, on_test) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.plot(epochs, on_train, ".-", label="training")
        axes.plot(epochs, on_test, ".-", label="test")
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path)


def confusion_matrix(labels: Any, predicted: Any, classes: int) -> Any:
    """How often each class, down, was taken for each class, across: integers (C, C)."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def draw_confusion(labels: Any, predicted: Any, classes: int, path: Path) -> None:
    """Draw the confusion matrix, with its numbers, into an image file."""
    counts = confusion_matrix(labels, predicted, classes)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    ticks = range(classes)
    axes.set(xlabel="predicted", ylabel="label", xticks=ticks, yticks=ticks)
    axes.set_title(f"{np.trace(counts)} of {counts.sum()} right")
    save(figure, path)


def draw_misread(images: Any, labels: Any, predicted: Any, path: Path) -> None:
    """Draw misread images (N, H, W), each under its label and what it was taken for."""
    wrong = np.flatnonzero(labels != predicted)
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    figure.suptitle(f"{len(wrong)} of {len(labels)} misread: label, and what it was taken for")
    places = list(figure.subplots(5, SHOWN // 5).flat)
    for axes in places:
        axes.axis("off")
    for axes, number in zip(places, wrong, strict=False):
        axes.imshow(images[number], cmap="gray_r")
        axes.set_title(f"{labels[number]}, {predicted[number]}", fontsize=9)
    save(figure, path)


def write_report(
    folder: Path, curves: Curves, test: Dataset, predicted: Any, spec: Data
) -> list[Path]:
    """Draw everything into a folder; returns the files.

    Args:
        folder: is made if it is not there.
        curves: loss and accuracy over the epochs.
        test: the dataset that was tested with.
        predicted: the class of each of its examples, as the model sees it.
        spec: the `Data` it comes from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "curves.png", folder / "confusion.png"]
    draw_curves(curves, files[0])
    draw_confusion(test.label, predicted, spec.classes, files[1])
    if spec.image is not None:
        files.append(folder / "misread.png")
        draw_misread(test.data.reshape(-1, *spec.image[1:]), test.label, predicted, files[2])
    return files
