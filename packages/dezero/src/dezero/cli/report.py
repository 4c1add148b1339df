"""Write the report of a training run: images, or a text that the trained model continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dezero import DataLoader, Model
from dezero.cuda import as_numpy
from dezero.datasets import Characters
from dezero.models import GPT
from dezero_core.extend import backend_of
from dezero_io import atomic_file

from .data import Data
from .training import Curves, predictions

MAX_SHOWN = 40
"""Maximum number of misclassified images to draw."""

SAMPLE_LENGTH = 500
"""Number of characters that a model adds to a text."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file, completely or not at all; the suffix selects the image format."""
    with atomic_file(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:].lower())


def draw_curves(curves: Curves, path: Path) -> None:
    """Draw training and test loss and accuracy per epoch; write them to an image file."""
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


def confusion_matrix(
    labels: NDArray[Any], predicted: NDArray[Any], classes: int
) -> NDArray[np.int64]:
    """Return the confusion matrix (C, C): rows are labels, columns are predicted classes."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def draw_confusion(labels: NDArray[Any], predicted: NDArray[Any], classes: int, path: Path) -> None:
    """Draw the confusion matrix with its counts; write it to an image file."""
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
    axes.set_title(f"{np.trace(counts)} of {counts.sum()} correct")
    save(figure, path)


def draw_misclassified(
    images: NDArray[Any], labels: NDArray[Any], predicted: NDArray[Any], path: Path
) -> None:
    """Draw the misclassified images of (N, H, W), each with its label and predicted class."""
    wrong = np.flatnonzero(labels != predicted)
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    figure.suptitle(f"{len(wrong)} of {len(labels)} misclassified: label, prediction")
    panels = list(figure.subplots(5, MAX_SHOWN // 5).flat)
    for axes in panels:
        axes.axis("off")
    for axes, number in zip(panels, wrong, strict=False):
        axes.imshow(images[number], cmap="gray_r")
        axes.set_title(f"{labels[number]}, {predicted[number]}", fontsize=9)
    save(figure, path)


def write_sample(model: GPT, test: Characters, path: Path) -> None:
    """Let a model continue the first example of the test set; write both to a text file."""
    start = backend_of(model.tokens.W.data).from_numpy(test.data[:1])
    ids = model.generate(start, SAMPLE_LENGTH)
    with atomic_file(path) as file:
        file.write(test.decode(as_numpy(ids)[0]).encode())


def write_report(
    folder: Path, curves: Curves, model: Model, test_batches: DataLoader, data: Data
) -> list[Path]:
    """Write the report of a training run; return the paths of its files.

    The files are images of ``curves``, of the confusion matrix and, if the examples are images, of
    misclassified ones. For a `GPT`, the files are an image of ``curves`` and a continued text.

    Args:
        folder: the folder to write to, created if it does not exist.
        curves: loss and accuracy over the epochs.
        model: the trained model.
        test_batches: a loader of the whole test set.
        data: the description of the dataset.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files, test = [folder / "curves.png"], test_batches.dataset
    draw_curves(curves, files[0])
    if isinstance(model, GPT):
        files.append(folder / "sample.txt")
        write_sample(model, test, files[1])
        return files
    predicted = predictions(model, test_batches)
    files.append(folder / "confusion.png")
    draw_confusion(test.label, predicted, data.classes, files[1])
    if len(data.shape) == 3:
        files.append(folder / "misclassified.png")
        draw_misclassified(test.data.reshape(-1, *data.shape[1:]), test.label, predicted, files[2])
    return files
