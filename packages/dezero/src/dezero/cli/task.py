"""Define the choices of the options ``--model`` and ``--backend``."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from numpy.typing import NDArray

from dezero import DataLoader, Model
from dezero import functions as F
from dezero.models import CNN, GPT, MLP
from dezero.transforms import Compose
from dezero_core.extend import get_backend
from dezero_core.state import default_backend

from .data import CONTEXT, DATA, Data, DataType

MODELS: dict[str, Callable[..., Model]] = {
    "mlp": lambda classes: MLP((1000, classes), F.relu),
    "cnn": CNN,
    "gpt": lambda classes, dropout=0.0: GPT(classes, CONTEXT, dropout=dropout),
}
VOCABULARY = "vocabulary"
"""The name under which a weight file stores the vocabulary of a text."""

DEVICES = {"cpu": "numpy", "cuda": "cuda"}

Command = TypeVar("Command", bound=Callable[..., Any])


def data_options(command: Command) -> Command:
    """Add the options that train, eval and export have in common."""
    model = click.option("--model", type=click.Choice([*MODELS]), default="mlp", show_default=True)
    data = click.option(
        "--data",
        type=DataType(),
        default="digits",
        show_default=True,
        help=f"Dataset: {', '.join(DATA)}, shakespeare, or the path of a text file.",
    )
    return data(model(command))


def task_options(command: Command) -> Command:
    """Add the options that train and eval have in common."""
    backend = click.option("--backend", metavar="NAME", help="Backend to compute with.")
    device = click.option(
        "--device", type=click.Choice([*DEVICES]), help="Short for --backend numpy or cuda."
    )
    return data_options(backend(device(command)))


def chosen_backend(backend: str | None, device: str | None) -> str:
    """Return the name of the backend that the options select; check that the backend is usable.

    Raises:
        click.UsageError: ``--backend`` and ``--device`` contradict each other.
        DezeroError: the backend does not exist or has no device.
    """
    if backend and device and backend != DEVICES[device]:
        raise click.UsageError(
            f"--device {device} means --backend {DEVICES[device]}: leave one out"
        )
    name = backend or (DEVICES[device] if device else default_backend().name)
    get_backend(name)
    return name


class AsImages:
    """Reshape rows of pixels to images, as a transform of a dataset.

    Args:
        shape: the shape (C, H, W) of an image.
    """

    constant = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        return x.reshape(self.shape)

    def batch(self, xs: NDArray[Any]) -> NDArray[Any]:
        """Reshape rows (B, M) to images (B, C, H, W)."""
        return xs.reshape(-1, *self.shape)


def make_model(data: Data, model: str, **settings: float) -> Model:
    """Return a new model with as many outputs as the dataset has classes.

    ``settings`` are further arguments of the model, such as ``dropout_ratio`` of a CNN.
    """
    return MODELS[model](data.classes, **settings)


def example_shape(data: Data, model: str) -> tuple[int, ...]:
    """Return the shape of an example of a dataset, in the form that the model takes.

    Raises:
        click.UsageError: the model does not take examples of this dataset.
    """
    if data.is_text and model != "gpt":
        raise click.UsageError(
            f"--model {model} takes numbers; {data.name} is a text: use --model gpt"
        )
    if model == "gpt" and not data.is_text:
        raise click.UsageError(
            f"--model gpt takes a text, and {data.name} is not a text: use --data shakespeare, or "
            "the path of a text file"
        )
    if model != "cnn":
        return (math.prod(data.shape),)
    if len(data.shape) != 3:
        raise click.UsageError(
            f"--model cnn takes images, and {data.name} has none: use --model mlp"
        )
    return data.shape


def loader(data: Data, model: str, backend: str, train: bool, batch_size: int) -> DataLoader:
    """Return a loader of training or test data, in the shape that the model takes.

    Raises:
        click.UsageError: the model does not take examples of this dataset.
    """
    shape = example_shape(data, model)
    dataset = data.load(train=train)
    if model == "cnn":
        first = [] if dataset.transform is None else [dataset.transform]
        dataset.transform = Compose([*first, AsImages(shape)])
    batches = DataLoader(dataset, batch_size, shuffle=train)
    return batches if backend == "numpy" else batches.to(backend)


def load_weights(model: Model, path: Path, data: Data) -> None:
    """Load the weights of ``--load``.

    Raises:
        click.UsageError: the weights were trained on a text with other characters.
        DezeroError: the file is damaged, or does not fit the model.
    """
    metadata = model.load_weights(path).metadata
    if metadata.get(VOCABULARY, data.vocabulary) != data.vocabulary:
        raise click.UsageError(
            f"--load {path}: the weights were trained on a text with other characters than "
            f"{data.name}; use the text that they were trained on"
        )


def save_weights(model: Model, data: Data, path: Path) -> None:
    """Save the weights for ``--load``; for a text, save its vocabulary with them."""
    model.save_weights(path, metadata={VOCABULARY: data.vocabulary} if data.is_text else None)
