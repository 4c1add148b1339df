"""Pictures of graphs in the DOT language of Graphviz (book steps 25 and 26)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import ArgumentError, DezeroError, MissingProgram
from .function import Function, calls_behind
from .variable import Variable

Key = Any
"""What stands for a Variable: the call that computed it and which output, or its identity."""


class Picture:
    """The nodes and edges of a picture; nodes are numbered in order of discovery.

    Args:
        output: the Variable whose graph is drawn.
        verbose: write shapes and dtypes beside names.

    Attributes:
        labels: the text of each node.
        calls: the numbers of the nodes that are calls; the others are Variables.
        edges: pairs of node numbers.
    """

    def __init__(self, output: Variable, verbose: bool) -> None:
        self.verbose = verbose
        self.numbers: dict[Key, int] = {}
        self.labels: dict[int, str] = {}
        self.calls: set[int] = set()
        self.edges: list[tuple[int, int]] = []
        self.variable(key_of(output), output)
        for function in calls_behind(output):
            call = self.call(function)
            self.edges += [(self.variable(key, x), call) for key, x in ingredients(function)]
            count = len(function._result) if isinstance(function._result, tuple) else 1
            self.edges += [(call, self.variable((function, index))) for index in range(count)]

    def variable(self, key: Key, x: Variable | None = None) -> int:
        """The number of a Variable; the label is kept from where the Variable itself is known."""
        number = self.numbers.setdefault(key, len(self.numbers))
        if x is not None or number not in self.labels:
            self.labels[number] = "" if x is None else label(x, self.verbose)
        return number

    def call(self, function: Function) -> int:
        """The number of a call."""
        number = self.numbers.setdefault(function, len(self.numbers))
        self.labels[number] = type(function).__name__
        self.calls.add(number)
        return number


def get_dot_graph(output: Variable, verbose: bool = True) -> str:
    """Return the graph behind ``output`` in the DOT language (book step 26).

    Variables are orange, calls blue. Of a graph that a backward has spent, Variables on the
    way have lost their names and shapes; constants are not drawn.

    Args:
        output: what was computed; a leaf gives a picture of itself.
        verbose: write shapes and dtypes beside names (default).
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


def ingredients(function: Function) -> Iterator[tuple[Key, Variable | None]]:
    """The Variables a call was given; of a spent one, what is left of them."""
    if function._arrays is not None:
        yield from ((key_of(x), x) for x in function._given() if isinstance(x, Variable))
        return
    for parent in function._given():
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
    return ": ".join(parts)


def plot_dot_graph(
    output: Variable, verbose: bool = True, to_file: str | os.PathLike[str] = "graph.png"
) -> Any:
    """Draw the graph behind ``output`` into a file (book step 26).

    Graphviz draws it where the program ``dot`` is installed, else matplotlib.

    Args:
        output, verbose: as for `get_dot_graph`.
        to_file: the path of the picture; its suffix gives the type: png, svg, pdf, ...

    Returns:
        in a notebook an object that shows the picture, or a link to a file that no notebook can
        show, such as pdf; else None.

    Raises:
        MissingProgram: neither Graphviz nor matplotlib is installed.
        ArgumentError: matplotlib does not write files with this suffix.
        DezeroError: ``dot`` failed; the message says why.
    """
    import shutil  # imported here: few programs draw

    path = Path(to_file)
    file_type = path.suffix.removeprefix(".").lower() or "png"
    if (dot := shutil.which("dot")) is not None:
        draw_with_graphviz(dot, get_dot_graph(output, verbose), path, file_type)
    else:
        draw_with_matplotlib(Picture(output, verbose), path, file_type)
    return shown(path, file_type)


def draw_with_graphviz(dot: str, text: str, path: Path, file_type: str) -> None:
    """Draw a text in the DOT language with Graphviz."""
    import subprocess

    command = [dot, f"-T{file_type}", "-o", os.fspath(path)]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise DezeroError(f"plot_dot_graph: dot failed: {done.stderr.strip()}")


def draw_with_matplotlib(picture: Picture, path: Path, file_type: str) -> None:
    """Draw the nodes in rows, each node below those it was computed from."""
    try:
        from matplotlib.collections import PathCollection
        from matplotlib.figure import Figure
        from matplotlib.path import Path as Curve
    except ImportError:
        raise MissingProgram(
            "plot_dot_graph needs Graphviz (the program dot: apt install graphviz, or brew "
            "install graphviz) or matplotlib (pip install matplotlib); get_dot_graph gives the "
            "text without them"
        ) from None
    rows = rows_of(picture)
    column = 0.1 * max(map(len, picture.labels.values())) + 0.5  # inches, like all lengths here
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
"""Inches from one row of nodes to the next, and from the middle of a node to its edge."""
MAX_PIXELS, MAX_LENGTH = 30_000_000, 60_000
"""Pixels of a picture in total, and along its longer side (matplotlib's limit is 2**16)."""


def curve(start: Point, end: Point, bend: float) -> list[Point]:
    """Return the control points of a Bezier curve from below ``start`` to above ``end``.

    An edge that passes other rows bends by ``bend`` to the side, around the nodes in between.
    """
    (x0, y0), (x1, y1) = (start[0], start[1] - HALF_NODE), (end[0], end[1] + HALF_NODE)
    aside = bend if y0 - y1 > ROW_HEIGHT else 0.0
    middle = (y0 + y1) / 2
    return [(x0, y0), (x0 + aside, middle), (x1 + aside, middle), (x1, y1)]


def rows_of(picture: Picture) -> list[list[int]]:
    """Sort the nodes of a picture into rows, inputs first, so that every edge points down."""
    users: dict[int, list[int]] = {number: [] for number in picture.labels}
    sources: dict[int, list[int]] = {number: [] for number in picture.labels}
    for start, end in picture.edges:
        users[start].append(end)
        sources[end].append(start)
    # Put a node one row above its highest user; ``order`` has all its users before it.
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
    # From the bottom up, sort each row by the mean position of its nodes' users.
    place: dict[int, float] = {}
    for row in rows:
        row.sort(key=lambda n: sum(place[user] for user in users[n]) / max(len(users[n]), 1))
        place.update((number, index - len(row) / 2) for index, number in enumerate(row))
    return rows[::-1]


def shown(path: Path, file_type: str) -> Any:
    """The picture as a notebook shows it; None elsewhere."""
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
