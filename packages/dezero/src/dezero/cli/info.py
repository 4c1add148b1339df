"""Define the command ``dezero info``, which shows what is installed and what is usable."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dezero import DezeroError
from dezero_core.backends.kernels import all_kernels
from dezero_core.errors import INSTALL_HINTS, PluginWarning
from dezero_core.extend import backend_names, get_backend, kernel_log, ops, plugins
from dezero_core.state import communicators, registered_formats

UNLIMITED = 10_000
"""Console width for output to a file or pipe, in characters; no line is too long for it."""

GPU_LIBRARIES = {
    "nvmath-python": "matmuls on a GPU by cuBLAS: pip install 'dezero-cuda[cuda13]' (or [cuda12])",
    "nvidia-cudnn-frontend": "convolutions on a GPU by cuDNN: docs/gpu.md shows the command",
}
"""A dictionary from NVIDIA's packages that dezero-cuda can use to hints how to install them."""

Rows = Iterable[tuple[str, str]]


@click.command()
def info() -> None:
    """Show packages, backends, kernels, file formats, engines and plugins."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # the last table shows plugins that failed
        show("packages", packages())
        show("backends", backends())
        show("kernels", kernels())
        show("kernels of one step of a small CNN", runs())
        show("weight formats", formats())
        show("engines of parallel training", engines())
        show("plugins", states())


def show(title: str, rows: Rows) -> None:
    """Print a title and a table of two columns, which are at least two spaces apart.

    On a terminal, or if the variable COLUMNS is set, long cells are folded. Otherwise each row is
    one line, so that programs can read the table.
    """
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = UNLIMITED
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="fold", min_width=22 if console.width >= 80 else None)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    with console.capture() as printed:
        console.print(Padding(table, (0, 0, 0, 2)))
    click.echo(f"\n{title}")
    for line in printed.get().splitlines():
        click.echo(line.rstrip())


def formats() -> Iterator[tuple[str, str]]:
    """Yield every file format with its plugin, or with the package that must be installed."""
    for file_format, plugin in registered_formats():
        try:
            needs = file_format.needs() if file_format.needs else ""
        except Exception as error:  # a plugin may raise any error
            needs = f"not usable: {type(error).__name__}: {error}"
        yield file_format.suffix, needs or plugin


def packages() -> Iterator[tuple[str, str]]:
    """Yield the version of each package; warn if two distributions install ``dezero``."""
    yield "Python", platform.python_version()
    for name in ("numpy", *INSTALL_HINTS):
        yield name, installed(name) or f"not installed ({INSTALL_HINTS[name]})"
    if installed("dezero-cuda"):
        for name, hint in GPU_LIBRARIES.items():
            yield name, installed(name) or f"not installed ({hint})"
    other = installed("dezero")
    if other:
        yield (
            "WARNING",
            f"dezero {other} owns `import dezero` too: pip uninstall dezero dezero-suite, "
            "then install one",
        )


def installed(name: str) -> str | None:
    """Return the version of a distribution, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def backends() -> Iterator[tuple[str, str]]:
    """Yield every registered backend with its capabilities, or the reason it is not usable."""
    for name in backend_names():
        try:
            backend = get_backend(name)
        except DezeroError as error:
            yield name, f"not usable: {error}"
        except Exception as error:  # the factory of a plugin may raise any error
            yield name, f"not usable: {type(error).__name__}: {error}"
        else:
            yield name, f"ready ({', '.join(sorted(backend.capabilities))})"


def kernels() -> Iterator[tuple[str, str]]:
    """Yield every registered kernel; a kernel is dormant if no loaded package defines its op."""
    import dezero.functions  # noqa: F401 (importing it defines the ops)

    for kernel, plugin in all_kernels():
        rule = f"priority {kernel.priority}" if kernel.cost is None else "chosen by cost"
        state = "" if kernel.op in ops else ", dormant: no loaded package defines this op"
        yield kernel.op, f"{kernel.name}, {rule}, from plugin {plugin}{state}"


def runs() -> Iterator[tuple[str, str]]:
    """Yield the kernels that training a small CNN runs, and why the other kernels do not run."""
    import numpy as np

    from dezero import Model, models, optimizers
    from dezero.functions import softmax_cross_entropy

    model: Model = models.CNN(10)
    optimizer = optimizers.SGD().setup(model)
    with kernel_log() as ran:
        loss = softmax_cross_entropy(model(np.zeros((64, 1, 8, 8), "float32")), np.zeros(64, int))
        loss.backward()
        optimizer.update()
    for run in dict.fromkeys(ran):
        cost = "" if run.cost is None else f", estimated at {run.cost:.0f} ns"
        others = "".join(f"; not {kernel}: {reason}" for kernel, reason in run.declined)
        yield run.op, f"{run.kernel}{cost}{others}"


def engines() -> Iterator[tuple[str, str]]:
    """Yield every engine with its plugin, and the number of ranks that its launcher announces."""
    if not communicators():
        yield "none", f"not installed ({INSTALL_HINTS['dezero-mpi']})"
    for spec, plugin in communicators():
        try:
            ranks = spec.launched()
        except Exception as error:  # a plugin may raise any error
            yield spec.name, f"not usable: {type(error).__name__}: {error}"
            continue
        state = f"{ranks} ranks launched" if ranks else "not launched"
        yield spec.name, f"{state}, sums {', '.join(spec.arrays)}, from plugin {plugin}"


def states() -> Iterator[tuple[str, str]]:
    """Yield every plugin with its state, and the reason if the plugin was not loaded."""
    for status in plugins.statuses():
        reason = f": {status.reason}" if status.reason else ""
        yield status.name, f"{status.state} ({status.distribution}){reason}"
