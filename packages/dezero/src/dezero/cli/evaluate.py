"""``dezero eval``."""

from __future__ import annotations

from pathlib import Path

import click

from .task import MODELS, chosen_backend, loader, task_options
from .training import evaluate_model


@click.command()
@task_options
@click.option(
    "--load",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Weights that dezero train --save wrote.",
)
def evaluate(data: str, model: str, backend: str | None, device: str | None, load: Path) -> None:
    """Report the accuracy of saved weights on the test data."""
    library = chosen_backend(backend, device)
    network = MODELS[model]()
    network.load_weights(load)
    network.to(library)
    batches = loader(data, library, False, 100)
    loss, accuracy = evaluate_model(network, batches)
    click.echo(
        f"{load}: test accuracy {accuracy:.2%}, loss {loss:.4f} "
        f"({batches.data_size} examples of {data}, backend {library})"
    )
