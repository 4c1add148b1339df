"""``dezero train``."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import dezero
from dezero import Checkpointer, DataLoader, Dataset, Model
from dezero.optimizers import Adam

from .files import FOLDER, NEW_WEIGHTS, PICTURE, SAVED_WEIGHTS, prepare_output, rescue, written
from .task import DATA, Data, chosen_backend, loader, make_model, task_options
from .training import Curves, evaluate_model, predictions, train_epoch

MAX_SEED = 2**64 - 1


class Rate(click.ParamType):  # type: ignore[type-arg]
    """A finite number above 0."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            rate = float(value)
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            self.fail(f"{value} is not a finite number above 0", param, ctx)
        return rate


@click.command()
@task_options
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the data. "
    f"[default: {', '.join(f'{spec.epochs} for {name}' for name, spec in DATA.items())}]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option(
    "--lr", type=Rate(), help="Learning rate, Adam's alpha. [default: 0.001, or the checkpoint's]"
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Seed of all random numbers.")
@click.option("--load", type=SAVED_WEIGHTS, help="Weights to start from.")
@click.option("--save", type=NEW_WEIGHTS, help="File for the trained weights.")
@click.option(
    "--checkpoint",
    type=FOLDER,
    help="Folder for checkpoints: after every epoch, and when Ctrl-C stops the run.",
)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint there.")
@click.option("--plot", type=PICTURE, help="File for a picture of the curves.")
@click.option(
    "--report",
    type=FOLDER,
    help="Folder for pictures: curves, confusion matrix, misread digits.",
)
def train(
    data: str,
    model: str,
    backend: str | None,
    device: str | None,
    epochs: int | None,
    batch_size: int,
    lr: float | None,
    seed: int | None,
    load: Path | None,
    save: Path | None,
    checkpoint: Path | None,
    resume: bool,
    plot: Path | None,
    report: Path | None,
) -> None:
    """Train a model and report its accuracy on data it has not seen."""
    prepare_output("--save", save)
    prepare_output("--plot", plot)
    prepare_output("--checkpoint", checkpoint, is_folder=True)
    prepare_output("--report", report, is_folder=True)
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
    if resume and checkpoints:
        last = checkpoints.load(**run._asdict())
        click.echo(
            f"goes on from {last.path}"
            if last
            else f"nothing to resume in {checkpoint}: starting anew"
        )
    if lr is not None:
        run.optimizer.alpha = lr
    network.to(library)
    curves = run.curves
    complete = fit(run, test_batches, epochs or DATA[data].epochs, checkpoints)

    click.echo(f"test accuracy {curves.test_accuracy[-1]:.2%} on backend {library}")
    if save is not None and not written("weights", save, network.save_weights):
        rescue(network, save)
        complete = False
    if plot is not None:
        complete &= written("curves", plot, lambda path: plotted(curves, path))
    if report is not None:
        tested = test_batches.dataset, predictions(network, test_batches), DATA[data]
        complete &= written("report", report, lambda path: reported(curves, path, *tested))
    if not complete:
        raise click.exceptions.Exit(1)


def plotted(curves: Curves, path: Path) -> None:
    """Draw the curves."""
    from .report import draw_curves  # matplotlib takes a second to import

    draw_curves(curves, path)


def reported(curves: Curves, folder: Path, test: Dataset, predicted: Any, spec: Data) -> list[Path]:
    """Draw the report; return its files."""
    from .report import write_report

    return write_report(folder, curves, test, predicted, spec)


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


def fit(run: Run, test_batches: DataLoader, epochs: int, checkpoints: Checkpointer | None) -> bool:
    """Train until there are so many epochs, and say after each how well it went.

    Raises:
        click.exceptions.Exit: Ctrl-C was pressed, and the run is in a checkpoint.
    """
    curves, steps = run.curves, len(run.loader)
    lost: list[int] = []

    def saved() -> Path | None:
        if checkpoints is None:
            return None
        step = curves.epochs * steps + run.loader.iteration
        newest = max(checkpoints.steps(), default=-1)  # batches may have been smaller before
        try:
            return checkpoints.save(max(step, newest + 1), **run._asdict())
        except OSError as error:
            lost.append(step)
            say(f"no checkpoint could be written: {error}")
            rescue(run.model, checkpoints.folder / "weights.npz")
            return None

    with progress(epochs * steps) as (step_done, say), interrupts(checkpoints) as interrupted:

        def after_step() -> None:
            step_done()
            if interrupted() and run.loader.iteration < steps:
                path = saved()
                say(f"stopped; go on from {path} with --resume" if path else "stopped")
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
            path = saved()
            if interrupted() and curves.epochs < epochs:
                say(f"stopped; go on from {path} with --resume" if path else "stopped")
                raise click.exceptions.Exit(130)
    return not lost


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
