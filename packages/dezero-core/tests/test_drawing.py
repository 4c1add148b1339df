"""Test pictures of graphs: the text, and the programs that draw it."""

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, get_dot_graph, plot_dot_graph
from dezero_core import functions as F
from dezero_core.drawing import Picture, rows_of
from dezero_core.errors import ArgumentError, DezeroError, MissingProgram


def small() -> tuple[Variable, Variable]:
    x = Variable(np.ones((2, 3), np.float32), name='the "x"')
    y = F.sin(x) * x
    y.name = "y"
    return x, y


def test_the_graph_in_the_dot_language() -> None:
    _, y = small()
    assert get_dot_graph(y).splitlines() == [
        "digraph g {",
        '0 [label="y: (2, 3) float32", color=orange, style=filled]',
        '1 [label="Mul", color=lightblue, style=filled, shape=box]',
        '2 [label="(2, 3) float32", color=orange, style=filled]',
        '3 [label="the \\"x\\": (2, 3) float32", color=orange, style=filled]',
        '4 [label="Sin", color=lightblue, style=filled, shape=box]',
        "2 -> 1",
        "3 -> 1",
        "1 -> 0",
        "3 -> 4",
        "4 -> 2",
        "}",
    ]
    assert '"y"' in get_dot_graph(y, verbose=False) and "float32" not in get_dot_graph(y, False)


def test_the_picture_of_a_freed_graph_has_calls_and_leaves() -> None:
    x, y = small()
    before = get_dot_graph(y, verbose=False)
    y.backward()
    assert get_dot_graph(y, verbose=False) == before
    del x
    assert "the" not in get_dot_graph(y), "the graph refers to leaves weakly"


def test_leaves_concat_and_graphs_of_gradients_are_drawn() -> None:
    x = Variable(np.array(1.0), name="x")
    assert get_dot_graph(x).count("[") == 1
    y = F.concat([x.reshape(1), (x * 2).reshape(1)])
    y.sum().backward(create_graph=True)
    F.tanh(x).backward(create_graph=True)
    assert "TanhGrad" in get_dot_graph(x.grad)


def test_a_long_chain_needs_no_recursion() -> None:
    y = x = Variable(np.array(1.0))
    for _ in range(5000):
        y = y + x
    assert get_dot_graph(y).count("Add") == 5000


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program in place of Graphviz that writes its arguments and input to the file."""
    path = tmp_path / "bin" / "dot"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\n[ "$1" = "-Tbad" ] && { echo "no bad" >&2; exit 1; }\n'
                    'echo "$@" > "$3"; cat >> "$3"\n')  # fmt: skip
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return path


def test_plotting_runs_graphviz(program: Path, tmp_path: Path) -> None:
    target = tmp_path / "a file; rm x.svg"
    _, y = small()
    assert plot_dot_graph(y, verbose=False, to_file=target) is None
    text = target.read_text()
    assert text.startswith(f"-Tsvg -o {target}\ndigraph g")
    with pytest.raises(DezeroError, match="dot failed: no bad"):
        plot_dot_graph(y, to_file=tmp_path / "x.bad")


def test_without_graphviz_and_matplotlib_the_error_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "matplotlib.collections", None)
    with pytest.raises(MissingProgram, match="apt install graphviz.*pip install matplotlib"):
        plot_dot_graph(small()[1], to_file=tmp_path / "g.png")
    assert list(tmp_path.iterdir()) == []


BEGINNINGS = {"png": b"\x89PNG", "svg": b"<?xml"}


@pytest.mark.parametrize("suffix", BEGINNINGS)
def test_without_graphviz_matplotlib_draws(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / f"g.{suffix}"
    assert plot_dot_graph(small()[1], to_file=path) is None
    assert path.read_bytes().startswith(BEGINNINGS[suffix])
    plot_dot_graph(Variable(np.ones(2)), to_file=tmp_path / "a leaf")
    assert (tmp_path / "a leaf").read_bytes().startswith(BEGINNINGS["png"])
    with pytest.raises(ArgumentError, match="bad"):
        plot_dot_graph(small()[1], to_file=tmp_path / "g.bad")


def test_each_node_is_in_a_row_below_its_inputs() -> None:
    x, y = small()
    picture = Picture(F.sum(y * x), verbose=False)
    rows = rows_of(picture)
    assert sorted(n for row in rows for n in row) == sorted(picture.labels)
    row_of = {number: r for r, row in enumerate(rows) for number in row}
    assert all(row_of[start] < row_of[end] for start, end in picture.edges)
    assert [picture.labels[row[0]] for row in rows] == [
        'the "x"', "Sin", "", "Mul", "y", "Mul", "", "Sum", ""
    ]  # fmt: skip
    z = x
    for _ in range(3000):
        z = z + x
    assert len(rows_of(Picture(z, verbose=False))) == 6001, "without recursion"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("g.svg", ("SVG", {})),
        ("g.png", ("Image", {"format": "png"})),
        ("g.JPG", ("Image", {"format": "jpg"})),
        ("graph", ("Image", {"format": "png"})),
        ("g.pdf", ("FileLink", {})),
    ],
)
def test_a_notebook_shows_the_picture_or_a_link(
    name: str,
    expected: Any,
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Imitate IPython: its Image refuses svg and pdf, and its FileLink takes a path."""
    calls: list[Any] = []

    def recorder(name: str) -> Any:
        return lambda *paths, filename=None, **more: calls.append(
            (name, more, *paths, *([filename] if filename else []))
        )

    classes = {each: recorder(each) for each in ("SVG", "Image", "FileLink")}
    notebook = SimpleNamespace(display=SimpleNamespace(**classes), get_ipython=lambda: object())
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    plot_dot_graph(small()[1], to_file=tmp_path / name)
    assert calls == [(*expected, str(tmp_path / name))]
