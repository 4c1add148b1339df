"""Define the choices of the options ``--data``, ``--model`` and ``--backend``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click
from numpy.typing import NDArray

from dezero import DataLoader, Dataset, Model
from dezero import functions as F
from dezero.datasets import MNIST, Digits, Spiral
from dezero.models import CNN, MLP
from dezero.transforms import Compose
from dezero_core.extend import get_backend
from dezero_core.state import default_backend


class Data(NamedTuple):
    """Describe a dataset that ``--data`` can select."""

    load: Callable[..., Dataset]
    classes: int
    shape: tuple[int, ...]  # (C, H, W) of an image, or (size,) of another example
    epochs: int  # the default of --epochs


DATA = {
    "digits": Data(Digits, 10, (1, 8, 8), 30),
    "mnist": Data(MNIST, 10, (1, 28, 28), 5),
    "spiral": Data(Spiral, 3, (2,), 100),
}
MODELS: dict[str, Callable[..., Model]] = {
    "mlp": lambda classes: MLP((1000, classes), F.relu),
    "cnn": CNN,
}
DEVICES = {"cpu": "numpy", "cuda": "cuda"}

Command = TypeVar("Command", bound=Callable[..., Any])


def data_options(command: Command) -> Command:
    """Add the options that train, eval and export have in common."""
    model = click.option("--model", type=click.Choice([*MODELS]), default="mlp", show_default=True)
    data = click.option("--data", type=click.Choice([*DATA]), default="digits", show_default=True)
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


def make_model(data: str, model: str, **settings: float) -> Model:
    """Return a new model with as many outputs as the dataset has classes.

    ``settings`` are further arguments of the model, such as ``dropout_ratio`` of a CNN.
    """
    return MODELS[model](DATA[data].classes, **settings)


def example_shape(data: str, model: str) -> tuple[int, ...]:
    """Return the shape of an example of a dataset, in the form that the model takes.

    Raises:
        click.UsageError: the model takes images, and the dataset has none.
    """
    shape = DATA[data].shape
    if model != "cnn":
        return (math.prod(shape),)
    if len(shape) != 3:
        raise click.UsageError(f"--model cnn takes images, and {data} has none: use --model mlp")
    return shape


def loader(data: str, model: str, backend: str, train: bool, batch_size: int) -> DataLoader:
    """Return a loader of training or test data, in the shape that the model takes.

    Raises:
        click.UsageError: the model takes images, and the dataset has none.
    """
    shape = example_shape(data, model)
    dataset = DATA[data].load(train=train)
    if model == "cnn":
        first = [] if dataset.transform is None else [dataset.transform]
        dataset.transform = Compose([*first, AsImages(shape)])
    batches = DataLoader(dataset, batch_size, shuffle=train)
    return batches if backend == "numpy" else batches.to(backend)
