"""A picture of how training went."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from .training import Curves


def draw(curves: Curves, path: Path) -> None:
    """Draw loss and accuracy over epochs, training and test, into an image file."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    epochs = range(1, len(curves.train_loss) + 1)
    panels = (
        ("loss", curves.train_loss, curves.test_loss),
        ("accuracy", curves.train_accuracy, curves.test_accuracy),
    )
    for axes, (title, on_train, on_test) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.plot(epochs, on_train, label="training")
        axes.plot(epochs, on_test, label="test")
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)
