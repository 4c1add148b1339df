"""What ``--data``, ``--model`` and ``--backend`` stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from dezero import DataLoader, Dataset, Model
from dezero import functions as F
from dezero.datasets import Digits
from dezero.models import MLP
from dezero_core.extend import default_backend, get_backend

DATA: dict[str, Callable[..., Dataset]] = {"digits": Digits}
MODELS: dict[str, Callable[[], Model]] = {"mlp": lambda: MLP((1000, 10), F.relu)}
DEVICES = {"cpu": "numpy", "cuda": "cuda"}

Command = TypeVar("Command", bound=Callable[..., Any])


def task_options(command: Command) -> Command:
    """The options that train and eval share."""
    for option in reversed(
        [
            click.option("--data", type=click.Choice([*DATA]), default="digits", show_default=True),
            click.option("--model", type=click.Choice([*MODELS]), default="mlp", show_default=True),
            click.option("--backend", metavar="NAME", help="Array library to compute with."),
            click.option("--device", type=click.Choice([*DEVICES]), help="Another way to say it."),
        ]
    ):
        command = option(command)
    return command


def chosen_backend(backend: str | None, device: str | None) -> str:
    """The backend meant by ``--backend`` and ``--device``, known to work.

    Raises:
        click.UsageError: they contradict each other.
        DezeroError: there is no such backend, or it has no device.
    """
    if backend and device and backend != DEVICES[device]:
        raise click.UsageError(f"--device {device} means --backend {DEVICES[device]}: drop one")
    name = backend or (DEVICES[device] if device else default_backend().name)
    get_backend(name)
    return name


def loader(data: str, backend: str, train: bool, batch_size: int) -> DataLoader:
    """Batches of one part of a dataset, on a backend."""
    batches = DataLoader(DATA[data](train=train), batch_size, shuffle=train)
    return batches if backend == "numpy" else batches.to(backend)
