"""Pictures of graphs in the DOT language of Graphviz (book steps 25 and 26)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import DezeroError, MissingProgram
from .function import Function, calls_behind
from .variable import Variable

Key = Any
"""What stands for a Variable: the call that computed it and which output, or its identity."""


class Nodes:
    """The nodes of a picture, numbered as they turn up.

    Args:
        verbose: write shapes and dtypes beside names.
    """

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.numbers: dict[Key, int] = {}
        self.labels: dict[int, str] = {}

    def variable(self, key: Key, x: Variable | None = None) -> int:
        """The number of a Variable; the label is kept from where the Variable itself is known."""
        number = self.numbers.setdefault(key, len(self.numbers))
        if x is not None or number not in self.labels:
            text = "" if x is None else label(x, self.verbose)
            self.labels[number] = f'label="{text}", color=orange, style=filled'
        return number

    def call(self, function: Function) -> int:
        """The number of a call."""
        number = self.numbers.setdefault(function, len(self.numbers))
        name = type(function).__name__
        self.labels[number] = f'label="{name}", color=lightblue, style=filled, shape=box'
        return number


def get_dot_graph(output: Variable, verbose: bool = True) -> str:
    """Return the graph behind ``output`` in the DOT language (book step 26).

    Variables are orange, calls blue. Of a graph that a backward has spent, Variables on the
    way have lost their names and shapes; constants are not drawn.

    Args:
        output: what was computed; a leaf gives a picture of itself.
        verbose: write shapes and dtypes beside names (default).
    """
    nodes, edges = Nodes(verbose), []
    nodes.variable(key_of(output), output)
    for function in calls_behind(output):
        call = nodes.call(function)
        edges += [f"{nodes.variable(key, x)} -> {call}" for key, x in ingredients(function)]
        count = len(function._result) if isinstance(function._result, tuple) else 1
        edges += [f"{call} -> {nodes.variable((function, index))}" for index in range(count)]
    lines = [f"{number} [{text}]" for number, text in nodes.labels.items()] + edges
    return "digraph g {\n" + "".join(f"{line}\n" for line in lines) + "}"


def ingredients(function: Function) -> Iterator[tuple[Key, Variable | None]]:
    """The Variables a call was given; of a spent one, what is left of them."""
    if function._inputs is not None:
        yield from ((key_of(x), x) for x in function._inputs if isinstance(x, Variable))
        return
    for parent in function.parents:
        if isinstance(parent, Function):
            yield (parent, 0), None
        elif parent is not None and (leaf := parent()) is not None:
            yield key_of(leaf), leaf


def key_of(x: Variable) -> Key:
    """What stands for ``x``, whichever Variable object it is."""
    return id(x) if x.creator is None else (x.creator, x._index or 0)


def label(x: Variable, verbose: bool) -> str:
    """The name of a Variable, and on request its shape and dtype."""
    parts = [x.name] if x.name else []
    if verbose and x.data is not None:
        parts.append(f"{x.shape} {x.dtype}")
    return ": ".join(parts).replace("\\", "\\\\").replace('"', '\\"')


def plot_dot_graph(
    output: Variable, verbose: bool = True, to_file: str | os.PathLike[str] = "graph.png"
) -> Any:
    """Draw the graph behind ``output`` into a file (book step 26).

    Args:
        output, verbose: as for `get_dot_graph`.
        to_file: the picture, of the kind its suffix says: png, svg, pdf, ...

    Returns:
        in a notebook the picture, to be shown; else None.

    Raises:
        MissingProgram: Graphviz (the program ``dot``) is not installed.
        DezeroError: ``dot`` failed; the message says why.
    """
    import shutil  # late, like the next: few programs draw
    import subprocess

    dot = shutil.which("dot")
    if dot is None:
        raise MissingProgram(
            "plot_dot_graph needs Graphviz (the program dot): apt install graphviz, or "
            "brew install graphviz; get_dot_graph gives the text without it"
        )
    path = Path(to_file)
    kind = path.suffix.removeprefix(".") or "png"
    done = subprocess.run(
        [dot, f"-T{kind}", "-o", os.fspath(path)],
        input=get_dot_graph(output, verbose),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise DezeroError(f"plot_dot_graph: dot failed: {done.stderr.strip()}")
    return shown(path)


def shown(path: Path) -> Any:
    """The picture as a notebook shows it; None elsewhere."""
    try:
        from IPython import display, get_ipython
    except ImportError:
        return None
    return display.Image(filename=os.fspath(path)) if get_ipython() else None
