"""``dezero train``."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import dezero
from dezero import Checkpointer, DataLoader, Model
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
@click.option(
    "--checkpoint",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for checkpoints: after every epoch, and when Ctrl-C stops the run.",
)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint there.")
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
    checkpoint: Path | None,
    resume: bool,
    plot: Path | None,
    report: Path | None,
) -> None:
    """Train a model and report its accuracy on data it has not seen."""
    checkpoints = checkpointer(checkpoint, resume)
    library = chosen_backend(backend, device)
    if seed is not None:
        dezero.seed(seed)
    batches = loader(data, model, library, True, batch_size)
    test_batches = loader(data, model, library, False, batch_size)
    network = make_model(data, model)
    if load is not None:
        network.load_weights(load)
    run = Run(network, Adam().setup(network), batches, Curves())
    if resume and checkpoints and (last := checkpoints.load(**run._asdict())):
        click.echo(f"goes on from {last.path}")
    network.to(library)
    curves = fit(run, test_batches, epochs or DATA[data].epochs, checkpoints)

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


def checkpointer(folder: Path | None, resume: bool) -> Checkpointer | None:
    """What ``--checkpoint`` and ``--resume`` stand for.

    Raises:
        click.UsageError: they do not go together, or the folder has another run's checkpoints.
    """
    if folder is None:
        if resume:
            raise click.UsageError("--resume needs --checkpoint DIR: where to go on from")
        return None
    checkpoints = Checkpointer(folder)
    if checkpoints.steps() and not resume:
        raise click.UsageError(
            f"{folder} holds checkpoints: add --resume to go on from there, or take a new folder"
        )
    return checkpoints


class Run(NamedTuple):
    """The parts of a checkpoint."""

    model: Model
    optimizer: Adam
    loader: DataLoader
    curves: Curves


def fit(
    run: Run, test_batches: DataLoader, epochs: int, checkpoints: Checkpointer | None
) -> Curves:
    """Train until there are so many epochs, and say after each how well it went.

    Raises:
        click.exceptions.Exit: Ctrl-C was pressed, and the run is in a checkpoint.
    """
    curves, steps = run.curves, len(run.loader)

    def saved() -> Path | None:
        step = curves.epochs * steps + run.loader.iteration
        return checkpoints.save(step, **run._asdict()) if checkpoints else None

    with progress(epochs * steps) as (step_done, say), interrupts(checkpoints) as interrupted:

        def after_step() -> None:
            step_done()
            if interrupted() and run.loader.iteration < steps:
                say(f"stopped; go on from {saved()} with --resume")
                raise click.exceptions.Exit(130)

        for _ in range(curves.epochs * steps + run.loader.iteration):
            step_done()
        while curves.epochs < epochs:
            train_epoch(run.model, run.optimizer, run.loader, curves, after_step)
            test_loss, test_accuracy = evaluate_model(run.model, test_batches)
            curves.test_loss.append(test_loss)
            curves.test_accuracy.append(test_accuracy)
            say(
                f"epoch {curves.epochs:3}/{epochs}  loss {curves.train_loss[-1]:.4f}  "
                f"accuracy {curves.train_accuracy[-1]:.2%}  test accuracy {test_accuracy:.2%}"
            )
            saved()
            if interrupted() and curves.epochs < epochs:
                say("stopped; go on with --resume")
                raise click.exceptions.Exit(130)
    return curves


@contextmanager
def interrupts(checkpoints: Checkpointer | None) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, for runs that can be saved; pressed twice it stops at once."""
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if checkpoints is None:
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


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
