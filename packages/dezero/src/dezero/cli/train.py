"""``dezero train``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import dezero
from dezero import DataLoader, Model
from dezero.optimizers import Adam

from .task import DATA, chosen_backend, loader, make_model, task_options
from .training import Curves, evaluate_model, predictions, train_epoch

OUTPUT = click.Path(dir_okay=False, path_type=Path)
INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@task_options
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the data. "
    f"[default: {', '.join(f'{spec.epochs} for {name}' for name, spec in DATA.items())}]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--seed", type=int, help="Start all random numbers from here.")
@click.option("--load", type=INPUT, help="Weights to start from.")
@click.option("--save", type=OUTPUT, help="Where to put the trained weights.")
@click.option("--plot", type=OUTPUT, help="Where to put a picture of the curves.")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for pictures: curves, confusion matrix, misread digits.",
)
def train(
    data: str,
    model: str,
    backend: str | None,
    device: str | None,
    epochs: int | None,
    batch_size: int,
    seed: int | None,
    load: Path | None,
    save: Path | None,
    plot: Path | None,
    report: Path | None,
) -> None:
    """Train a model and report its accuracy on data it has not seen."""
    library = chosen_backend(backend, device)
    if seed is not None:
        dezero.seed(seed)
    batches = loader(data, model, library, True, batch_size)
    test_batches = loader(data, model, library, False, batch_size)
    network = make_model(data, model)
    if load is not None:
        network.load_weights(load)
    network.to(library)
    curves = fit(network, batches, test_batches, epochs or DATA[data].epochs)

    click.echo(f"test accuracy {curves.test_accuracy[-1]:.2%} on backend {library}")
    if save is not None:
        save.parent.mkdir(parents=True, exist_ok=True)
        network.save_weights(save)
        click.echo(f"weights: {save}")
    if plot is not None:
        from .report import draw_curves  # matplotlib takes a second to import

        plot.parent.mkdir(parents=True, exist_ok=True)
        draw_curves(curves, plot)
        click.echo(f"curves: {plot}")
    if report is not None:
        from .report import write_report

        predicted = predictions(network, test_batches)
        files = write_report(report, curves, test_batches.dataset, predicted, DATA[data])
        click.echo(f"report: {', '.join(map(str, files))}")


def fit(network: Model, batches: DataLoader, test_batches: DataLoader, epochs: int) -> Curves:
    """Train for some epochs with Adam, and say after each how well it went."""
    optimizer = Adam().setup(network)
    curves = Curves()
    with progress(epochs * len(batches)) as (step_done, say):
        for epoch in range(1, epochs + 1):
            loss, accuracy = train_epoch(network, optimizer, batches, step_done)
            test_loss, test_accuracy = evaluate_model(network, test_batches)
            curves.train_loss.append(loss)
            curves.train_accuracy.append(accuracy)
            curves.test_loss.append(test_loss)
            curves.test_accuracy.append(test_accuracy)
            say(
                f"epoch {epoch:3}/{epochs}  loss {loss:.4f}  accuracy {accuracy:.2%}  "
                f"test accuracy {test_accuracy:.2%}"
            )
    return curves


@contextmanager
def progress(steps: int) -> Iterator[tuple[Callable[[], None], Callable[[str], None]]]:
    """A function to call after each step, and one to report a line with.

    On a terminal a bar moves below the lines; elsewhere there are lines only.
    """
    console = Console()
    if not console.is_terminal:
        yield (lambda: None), (lambda line: click.echo(line))
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("training", total=steps)
        yield (lambda: bar.advance(task)), (lambda line: console.print(line, highlight=False))
