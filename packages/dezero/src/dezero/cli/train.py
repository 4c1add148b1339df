"""Define the command ``dezero train``, which trains a model and saves the results."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import dezero
from dezero import Checkpointer, DataLoader, Model
from dezero.optimizers import Adam
from dezero_parallel import Alone, World

from .data import DATA, TEXT_EPOCHS, Data
from .files import FOLDER, IMAGE, NEW_WEIGHTS, SAVED_WEIGHTS, prepare_output, rescue, write_result
from .ranks import connect, ranks_option, require_rows
from .task import chosen_backend, load_weights, loader, make_model, save_weights, task_options
from .training import Curves, evaluate_model, train_epoch

MAX_SEED = 2**64 - 1
DROPOUT = {"cnn": "dropout_ratio", "gpt": "dropout"}
"""The models that ``--dropout`` applies to, with the name of the argument that each takes."""


class Rate(click.ParamType):  # type: ignore[type-arg]
    """Convert an option to a finite number above 0."""

    name = "number"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
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
    help="Number of epochs. "
    f"[default: {', '.join(f'{data.epochs} for {data.name}' for data in DATA.values())}, "
    f"{TEXT_EPOCHS} for a text]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option(
    "--lr", type=Rate(), help="Learning rate, Adam's alpha. [default: 0.001, or the checkpoint's]"
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    help="Probability of dropping an element in training. [default: 0.25 for cnn, 0 for gpt]",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Seed of the random numbers.")
@click.option("--load", type=SAVED_WEIGHTS, help="Weights to start from.")
@click.option("--save", type=NEW_WEIGHTS, help="File for the trained weights.")
@click.option(
    "--checkpoint",
    type=FOLDER,
    help="Folder for checkpoints: after every epoch, and when Ctrl-C or SIGTERM stops the run.",
)
@click.option("--resume", is_flag=True, help="Continue from the newest checkpoint in that folder.")
@click.option("--plot", type=IMAGE, help="Image file for the curves of loss and accuracy.")
@click.option(
    "--report",
    type=FOLDER,
    help="Folder for the curves, the confusion matrix and misclassified digits; for a text, the "
    "curves and a text that the model continues.",
)
@ranks_option
def train(
    data: Data,
    model: str,
    backend: str | None,
    device: str | None,
    epochs: int | None,
    batch_size: int,
    lr: float | None,
    dropout: float | None,
    seed: int | None,
    load: Path | None,
    save: Path | None,
    checkpoint: Path | None,
    resume: bool,
    plot: Path | None,
    report: Path | None,
    ranks: int | None,
) -> None:
    """Train a model and report its accuracy on the test data."""
    require_rows(ranks, batch_size)
    settings = model_settings(model, dropout)
    prepare_output("--save", save)
    prepare_output("--plot", plot)
    prepare_output("--checkpoint", checkpoint, is_folder=True)
    prepare_output("--report", report, is_folder=True)
    checkpoints = checkpointer(checkpoint, resume)
    backend_name = chosen_backend(backend, device)
    world = connect(ranks)
    if seed is not None:
        dezero.seed(seed)
    batches = world.share(loader(data, model, backend_name, True, batch_size))
    test_batches = world.share(loader(data, model, backend_name, False, batch_size), training=False)
    network = make_model(data, model, **settings)
    if load is not None:
        load_weights(network, load, data)
    curves = Curves(model=f"--model {model}", data=data.identity)
    run = Run(curves, network, world.parallel(Adam().setup(network)), batches)
    if resume and checkpoints:
        last = world.load(checkpoints, **run._asdict())
        if world.rank == 0:
            click.echo(
                f"continues from {last.path}"
                if last
                else f"no checkpoint in {checkpoint}: starting from the beginning"
            )
    if lr is not None:
        run.optimizer.alpha = lr
    network.to(backend_name)
    complete = fit(world, run, test_batches, epochs or data.epochs, checkpoints)
    if world.rank != 0:
        return  # rank 0 writes the results
    click.echo(f"test accuracy {curves.test_accuracy[-1]:.2%} on backend {backend_name}")
    if save is not None and not write_result("weights", save, partial(save_weights, network, data)):
        rescue(network, save)
        complete = False
    if plot is not None:
        complete &= write_result("curves", plot, lambda path: plot_curves(curves, path))
    if report is not None:
        test_batches = loader(data, model, backend_name, False, batch_size)  # not split over ranks
        complete &= write_result(
            "report", report, lambda path: draw_report(path, curves, network, test_batches, data)
        )
    if not complete:
        raise click.exceptions.Exit(1)


def model_settings(model: str, dropout: float | None) -> dict[str, float]:
    """Return the keyword arguments of the model that the options select.

    Raises:
        click.UsageError: ``--dropout`` is given, and the model has no dropout.
    """
    if dropout is None:
        return {}
    if model not in DROPOUT:
        raise click.UsageError(
            f"--dropout {dropout}: --model {model} has no dropout; "
            f"use {' or '.join(f'--model {name}' for name in DROPOUT)}"
        )
    return {DROPOUT[model]: dropout}


def plot_curves(curves: Curves, path: Path) -> None:
    """Draw the loss and accuracy of each epoch; write the figure to an image file."""
    from .report import draw_curves  # matplotlib takes a second to import

    draw_curves(curves, path)


def draw_report(
    folder: Path, curves: Curves, model: Model, test_batches: DataLoader, data: Data
) -> list[Path]:
    """Write the files that ``--report`` requests; return their paths."""
    from .report import write_report

    return write_report(folder, curves, model, test_batches, data)


def checkpointer(folder: Path | None, resume: bool) -> Checkpointer | None:
    """Return the `Checkpointer` for the folder of ``--checkpoint``; None without that option.

    Raises:
        click.UsageError: ``--resume`` is used without ``--checkpoint``, or ``--checkpoint`` names a
            folder with checkpoints and ``--resume`` is missing.
    """
    if folder is None:
        if resume:
            raise click.UsageError("--resume needs --checkpoint DIR, the folder to continue from")
        return None
    checkpoints = Checkpointer(folder)
    if checkpoints.steps() and not resume:
        raise click.UsageError(
            f"{folder} contains checkpoints: add --resume to continue, or choose a new folder"
        )
    return checkpoints


class Run(NamedTuple):
    """Hold the objects that a checkpoint stores, in the order in which they are checked."""

    curves: Curves  # checked first: its error names the options of the run
    model: Model
    optimizer: Adam
    loader: DataLoader


def fit(
    world: World | Alone,
    run: Run,
    test_batches: DataLoader,
    epochs: int,
    checkpoints: Checkpointer | None,
) -> bool:
    """Train for ``epochs`` epochs; rank 0 prints loss and accuracy after each epoch.

    Returns:
        False if a checkpoint could not be written.

    Raises:
        click.exceptions.Exit: a signal stopped the training; a checkpoint was written if possible.
    """
    curves, steps = run.curves, len(run.loader)
    unsaved: list[int] = []

    def save_checkpoint() -> str:
        """Write a checkpoint; return the end of a message that tells how to continue, or ""."""
        if checkpoints is None:
            return ""
        step = curves.epochs * steps + run.loader.iteration
        newest = max(
            checkpoints.steps(), default=-1
        )  # exceeds ``step`` if the batches of an earlier run were smaller
        try:
            world.save(checkpoints, max(step, newest + 1), **run._asdict())
        except OSError as error:
            unsaved.append(step)
            print_line(f"no checkpoint could be written: {error}")
            if world.rank == 0:
                rescue(run.model, checkpoints.folder / "weights.npz")
            return ""
        return f"; --resume continues from {checkpoints.folder}"

    with (
        progress(world, epochs * steps) as (step_done, print_line),
        interrupts(checkpoints, world) as interrupted,
    ):

        def is_interrupted() -> bool:
            """Return whether a signal has reached any rank; all ranks get the same answer."""
            return bool(world.sum(interrupted()))

        def stop(how_to_continue: str) -> NoReturn:
            print_line(f"stopped{how_to_continue}")
            raise click.exceptions.Exit(128 + (interrupted() or signal.SIGINT))

        def after_step() -> None:
            step_done()
            if is_interrupted() and run.loader.iteration < steps:
                stop(save_checkpoint())

        for _ in range(curves.epochs * steps + run.loader.iteration):
            step_done()
        while curves.epochs < epochs:
            train_epoch(run.model, run.optimizer, run.loader, curves, after_step, world)
            test_loss, test_accuracy = evaluate_model(run.model, test_batches, world)
            curves.test_loss.append(test_loss)
            curves.test_accuracy.append(test_accuracy)
            print_line(
                f"epoch {curves.epochs:3}/{epochs}  loss {curves.train_loss[-1]:.4f}  "
                f"accuracy {curves.train_accuracy[-1]:.2%}  test accuracy {test_accuracy:.2%}"
            )
            how_to_continue = save_checkpoint()
            if is_interrupted() and curves.epochs < epochs:
                stop(how_to_continue)
    return not unsaved


@contextmanager
def interrupts(
    checkpoints: Checkpointer | None, world: World | Alone
) -> Iterator[Callable[[], int]]:
    """Yield a function that returns the number of a signal that has asked to stop, or 0.

    Ctrl-C sends SIGINT; batch systems such as Slurm send SIGTERM, which has an effect only in a
    single process, because MPI's launchers use SIGTERM to kill ranks. With checkpoints, the second
    signal stops the training at once. Without checkpoints, the first signal stops the training at
    once, and the function always returns 0.
    """
    received = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if received:
            raise KeyboardInterrupt
        received = number

    if checkpoints is None:
        yield lambda: 0
        return
    numbers = [signal.SIGINT] if world.size > 1 else [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield lambda: received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress(
    world: World | Alone, steps: int
) -> Iterator[tuple[Callable[[], None], Callable[[str], None]]]:
    """Yield a function to call after each step, and a function that prints a line on rank 0.

    On a terminal, one process also shows a progress bar below the printed lines. Several ranks show
    no bar, because Open MPI gives each rank a separate terminal.
    """
    if world.rank != 0:
        yield (lambda: None), (lambda line: None)
        return
    console = Console()
    if world.size > 1 or not console.is_terminal:
        yield (lambda: None), (lambda line: click.echo(line))
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("training", total=steps)
        yield (lambda: bar.advance(task)), (lambda line: console.print(line, highlight=False))
