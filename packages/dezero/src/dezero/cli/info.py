"""``dezero info``: what is installed, what works, and what was left out and why."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

import click

from dezero import DezeroError
from dezero_core.errors import INSTALL_HINTS, PluginWarning
from dezero_core.extend import all_kernels, backend_names, get_backend, ops, plugins
from dezero_core.weights import format_suffixes

Rows = Iterable[tuple[str, str]]


@click.command()
def info() -> None:
    """Show packages, backends, kernels, file formats and plugins."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # the last table says it all
        show("packages", packages())
        show("backends", backends())
        show("kernels", kernels())
        show("weight formats", ((suffix, plugin) for suffix, plugin in format_suffixes()))
        show("plugins", states())


def show(title: str, rows: Rows) -> None:
    """Print a title and lines of two columns."""
    click.echo(f"\n{title}")
    for name, value in rows:
        click.echo(f"  {name:24}{value}")


def packages() -> Iterator[tuple[str, str]]:
    """Versions, and a warning where two distributions own ``import dezero``."""
    yield "Python", platform.python_version()
    for name in ("numpy", *INSTALL_HINTS):
        yield name, installed(name) or f"not installed ({INSTALL_HINTS[name]})"
    other = installed("dezero")
    if other:
        yield (
            "WARNING",
            f"dezero {other} owns `import dezero` too: pip uninstall dezero dezero-suite, "
            "then install one",
        )


def installed(name: str) -> str | None:
    """The version of a distribution, if it is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def backends() -> Iterator[tuple[str, str]]:
    """Every registered backend and whether it works."""
    for name in backend_names():
        try:
            backend = get_backend(name)
        except DezeroError as error:
            yield name, f"not usable: {error}"
        except Exception as error:  # a plugin's factory may raise anything
            yield name, f"not usable: {type(error).__name__}: {error}"
        else:
            yield name, f"ready ({', '.join(sorted(backend.capabilities))})"


def kernels() -> Iterator[tuple[str, str]]:
    """Every registered kernel; dormant if no loaded package defines its op."""
    import dezero.functions  # noqa: F401 (defines the ops)

    for kernel, plugin in all_kernels():
        state = "" if kernel.op in ops else ", dormant: no loaded package defines this op"
        yield kernel.op, f"{kernel.backend}, from plugin {plugin}{state}"


def states() -> Iterator[tuple[str, str]]:
    """Every plugin, and the reason for those that were left out."""
    for status in plugins.statuses():
        reason = f": {status.reason}" if status.reason else ""
        yield status.name, f"{status.state} ({status.distribution}){reason}"
