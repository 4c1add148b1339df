"""Draw graphs with Graphviz or matplotlib (book steps 25 and 26)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import ArgumentError, DezeroError, MissingProgram, wrong_type
from .function import Function
from .graph import ancestors
from .variable import Variable

Key = Any
"""The key of a node: a call, a pair (call, output index), or the ``id`` of a leaf."""


class Picture:
    """Collect the nodes and edges of a graph, and number the nodes in the order found.

    Args:
        output: the Variable whose graph is drawn.
        verbose: whether labels show shapes and dtypes.

    Attributes:
        labels: a dictionary from node numbers to labels.
        calls: the numbers of the nodes that are calls; all other nodes are Variables.
        edges: pairs of node numbers.
    """

    def __init__(self, output: Variable, verbose: bool) -> None:
        if not isinstance(output, Variable):
            raise wrong_type("drawing of a graph: output", output, "a Variable")
        self.verbose = verbose
        self.numbers: dict[Key, int] = {}
        self.labels: dict[int, str] = {}
        self.calls: set[int] = set()
        self.edges: list[tuple[int, int]] = []
        self.add_variable(key_of(output), output)
        for function in ancestors(output):
            call = self.numbers.setdefault(function, len(self.numbers))
            self.labels[call] = type(function).__name__
            self.calls.add(call)
            self.edges += [(self.add_variable(key, x), call) for key, x in inputs_of(function)]
            count = len(function._result) if isinstance(function._result, tuple) else 1
            self.edges += [(call, self.add_variable((function, index))) for index in range(count)]

    def add_variable(self, key: Key, x: Variable | None = None) -> int:
        """Add a node for the Variable with this key, and return the node number.

        If ``x`` is None, a new node gets an empty label, and an existing node keeps its label.
        """
        number = self.numbers.setdefault(key, len(self.numbers))
        if x is not None or number not in self.labels:
            self.labels[number] = "" if x is None else label(x, self.verbose)
        return number


def get_dot_graph(output: Variable, verbose: bool = True) -> str:
    """Return the graph of ``output`` in the DOT language of Graphviz (book step 26).

    Variables are orange, calls are blue. Constants are not drawn. In a graph that a backward pass
    has freed, intermediate Variables have no labels.

    Args:
        output: the Variable whose graph is drawn; the graph of a leaf is one node.
        verbose: whether labels show shapes and dtypes (default True).

    Raises:
        ArgumentTypeError: ``output`` is not a Variable.
    """
    picture = Picture(output, verbose)
    lines = []
    for number, text in picture.labels.items():
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        style = "lightblue, style=filled, shape=box" if number in picture.calls else ORANGE
        lines.append(f'{number} [label="{text}", color={style}]')
    lines += [f"{start} -> {end}" for start, end in picture.edges]
    return "digraph g {\n" + "".join(f"{line}\n" for line in lines) + "}"


ORANGE = "orange, style=filled"


def inputs_of(function: Function) -> Iterator[tuple[Key, Variable | None]]:
    """Yield (key, Variable) for each input of a call, or (key, None) if the Variable was freed."""
    if function._arrays is not None:
        yield from ((key_of(x), x) for x in function._call_inputs() if isinstance(x, Variable))
        return
    for parent in function._call_inputs():
        if isinstance(parent, Function):
            yield (parent, 0), None
        elif parent is not None and (leaf := parent()) is not None:
            yield key_of(leaf), leaf


def key_of(x: Variable) -> Key:
    """Return the key of ``x``; all Variables for the same output of a call have the same key."""
    return id(x) if x.creator is None else (x.creator, x._index or 0)


def label(x: Variable, verbose: bool) -> str:
    """Return the name of a Variable, and if ``verbose`` its shape and dtype."""
    parts = [x.name] if x.name else []
    if verbose and x.data is not None:
        parts.append(f"{x.shape} {x.dtype}")
    return ": ".join(parts)


def plot_dot_graph(
    output: Variable, verbose: bool = True, to_file: str | os.PathLike[str] = "graph.png"
) -> Any:
    """Draw the graph of ``output`` to a file (book step 26).

    Use Graphviz if its program ``dot`` is installed, else matplotlib.

    Args:
        output, verbose: as for `get_dot_graph`.
        to_file: the path of the picture (default ``graph.png``); its suffix is the type.

    Returns:
        in a notebook, an object that shows the picture, or a link if notebooks cannot show this
        type, such as pdf; else None.

    Raises:
        ArgumentTypeError: ``output`` is not a Variable.
        MissingProgram: neither Graphviz nor matplotlib is installed.
        ArgumentError: matplotlib does not write files with this suffix.
        DezeroError: ``dot`` failed; the message says why.
    """
    import shutil  # imported here because few programs need it

    path = Path(to_file)
    file_type = path.suffix.removeprefix(".").lower() or "png"
    if (dot := shutil.which("dot")) is not None:
        draw_with_graphviz(dot, get_dot_graph(output, verbose), path, file_type)
    else:
        draw_with_matplotlib(Picture(output, verbose), path, file_type)
    return notebook_display(path, file_type)


def draw_with_graphviz(dot: str, text: str, path: Path, file_type: str) -> None:
    """Run Graphviz on text in the DOT language."""
    import subprocess

    command = [dot, f"-T{file_type}", "-o", os.fspath(path)]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise DezeroError(f"plot_dot_graph: dot failed: {done.stderr.strip()}")


def draw_with_matplotlib(picture: Picture, path: Path, file_type: str) -> None:
    """Draw the nodes in rows with matplotlib, each node below its inputs."""
    try:
        from matplotlib.collections import PathCollection
        from matplotlib.figure import Figure
        from matplotlib.path import Path as Curve
    except ImportError:
        raise MissingProgram(
            "plot_dot_graph needs Graphviz (the program dot: apt install graphviz, or brew "
            "install graphviz) or matplotlib (pip install matplotlib); get_dot_graph needs neither"
        ) from None
    rows = rows_of(picture)
    column = 0.1 * max(map(len, picture.labels.values())) + 0.5  # all lengths are in inches
    width, height = column * max(map(len, rows)), ROW_HEIGHT * len(rows)
    at = {
        number: ((index + 0.5 - len(row) / 2) * column + width / 2, height - ROW_HEIGHT * (r + 0.5))
        for r, row in enumerate(rows)
        for index, number in enumerate(row)
    }
    dpi = min(100.0, (MAX_PIXELS / (width * height)) ** 0.5, MAX_LENGTH / max(width, height))
    figure = Figure((width, height), dpi=dpi)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    curves = [curve(at[start], at[end], column / 2) for start, end in picture.edges]
    steps = [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]
    paths = [Curve(points, steps) for points in curves]
    axes.add_collection(PathCollection(paths, facecolors="none", edgecolors="black", zorder=1))
    heads = [points[-1] for points in curves]
    axes.plot([x for x, _ in heads], [y for _, y in heads], "kv", markersize=4)
    for number, text in picture.labels.items():
        is_call = number in picture.calls
        shape, color = ("square", "lightblue") if is_call else ("round", "orange")
        box = {"boxstyle": f"{shape},pad=0.4", "facecolor": color, "edgecolor": "none"}
        axes.text(*at[number], text or "    ", ha="center", va="center", fontsize=9, bbox=box)
    try:
        figure.savefig(path, format=file_type)
    except ValueError as error:
        raise ArgumentError(f"plot_dot_graph: {path}: {error}") from error


Point = tuple[float, float]
ROW_HEIGHT, HALF_NODE = 0.6, 0.16
"""The distance between two rows, and half the height of a node; both are in inches."""
MAX_PIXELS, MAX_LENGTH = 30_000_000, 60_000
"""The largest number of pixels in a picture, and the largest side (matplotlib allows 2**16)."""


def curve(start: Point, end: Point, bend: float) -> list[Point]:
    """Return the control points of a Bezier curve from the bottom of a node to the top of another.

    An edge that crosses other rows bends to the side by ``bend``, around the nodes in between.
    """
    (x0, y0), (x1, y1) = (start[0], start[1] - HALF_NODE), (end[0], end[1] + HALF_NODE)
    aside = bend if y0 - y1 > ROW_HEIGHT else 0.0
    middle = (y0 + y1) / 2
    return [(x0, y0), (x0 + aside, middle), (x1 + aside, middle), (x1, y1)]


def rows_of(picture: Picture) -> list[list[int]]:
    """Sort the nodes of a picture into rows, inputs first, so that every edge points down."""
    users, sources = ({n: list[int]() for n in picture.labels} for _ in range(2))
    for start, end in picture.edges:
        users[start].append(end)
        sources[end].append(start)
    # Put each node one row above its highest user. In `order`, a node comes after its users.
    unseen = {number: len(users[number]) for number in users}
    order = [number for number in users if not unseen[number]]
    height: dict[int, int] = {}
    for number in order:
        height[number] = 1 + max((height[user] for user in users[number]), default=-1)
        for source in sources[number]:
            unseen[source] -= 1
            if not unseen[source]:
                order.append(source)
    rows: list[list[int]] = [[] for _ in range(1 + max(height.values()))]
    for number in order:
        rows[height[number]].append(number)
    # From the bottom up, sort the nodes of each row by the mean position of their users.
    position: dict[int, float] = {}
    for row in rows:
        row.sort(key=lambda n: sum(position[user] for user in users[n]) / max(len(users[n]), 1))
        position.update((number, index - len(row) / 2) for index, number in enumerate(row))
    return rows[::-1]


def notebook_display(path: Path, file_type: str) -> Any:
    """Return the picture as an object that a notebook shows; None outside of notebooks."""
    try:
        from IPython import display, get_ipython
    except ImportError:
        return None
    if not get_ipython():
        return None
    if file_type == "svg":
        return display.SVG(filename=os.fspath(path))
    if file_type in ("png", "jpg", "jpeg", "gif"):
        return display.Image(filename=os.fspath(path), format=file_type)
    return display.FileLink(os.fspath(path))
