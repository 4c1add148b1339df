"""Define the command ``dezero export``, which writes a trained model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from dezero import export_onnx

from .data import Data
from .files import NEW_ONNX, SAVED_WEIGHTS, prepare_output
from .task import data_options, example_shape, load_weights, make_model


@click.command()
@data_options
@click.option(
    "--load",
    type=SAVED_WEIGHTS,
    required=True,
    help="Weights written by dezero train --save.",
)
@click.option("--check/--no-check", default=True, help="Compare onnxruntime with NumPy (default).")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.argument("to", type=NEW_ONNX)
def export(data: Data, model: str, load: Path, check: bool, force: bool, to: Path) -> None:
    """Write a trained model as the ONNX file TO, for batches of any length N."""
    if to.exists() and not force:
        raise click.UsageError(f"{to} exists: add --force to replace it")
    shape, dtype = example_shape(data, model), "int64" if data.is_text else "float32"
    network = make_model(data, model)
    load_weights(network, load, data)
    prepare_output("TO", to)
    click.echo(export_onnx(network, to, check=check, x=(("N", *shape), dtype)))
