"""Define the command ``dezero eval``, which reports the accuracy of saved weights."""

from __future__ import annotations

from pathlib import Path

import click

from .data import Data
from .files import SAVED_WEIGHTS
from .task import chosen_backend, load_weights, loader, make_model, task_options
from .training import evaluate_model


@click.command()
@task_options
@click.option(
    "--load",
    type=SAVED_WEIGHTS,
    required=True,
    help="Weights written by dezero train --save.",
)
def evaluate(data: Data, model: str, backend: str | None, device: str | None, load: Path) -> None:
    """Report the accuracy of saved weights on the test data."""
    backend_name = chosen_backend(backend, device)
    batches = loader(data, model, backend_name, False, 100)
    network = make_model(data, model)
    load_weights(network, load, data)
    network.to(backend_name)
    loss, accuracy = evaluate_model(network, batches)
    click.echo(
        f"{load}: test accuracy {accuracy:.2%}, loss {loss:.4f} "
        f"({batches.data_size} examples of {data.name}, backend {backend_name})"
    )
