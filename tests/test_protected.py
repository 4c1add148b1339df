"""Protect second derivatives of whole networks and the small number of imports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dezero.functions as F
import dezero.layers as L
from dezero import Variable, grad
from dezero.models import Sequential

STEP = 1e-3
POINTS = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
"""Step of the fourth-order central difference, whose error is about STEP**4 = 1e-12."""


def sequence(cell: Callable[[int], Any]) -> tuple[Any, tuple[int, ...]]:
    layer = cell(4)

    def run(x: Any) -> Any:
        layer.reset_state()
        return layer(x)

    return layer, run, (5, 3, 2)


def images() -> tuple[Any, Any, tuple[int, ...]]:
    model = Sequential(L.Conv2d(3, 3, stride=2, pad=1), L.BatchNorm(), F.tanh, L.Conv2d(2, 3))
    return model, model, (4, 2, 7, 7)


MODELS: dict[str, Callable[[], Any]] = {
    "RNN": lambda: sequence(L.RNN),
    "GRU": lambda: sequence(L.GRU),
    "LSTM": lambda: sequence(L.LSTM),
    "conv2d and batch norm": images,
}


@pytest.mark.parametrize("name", MODELS)
def test_second_derivatives_are_those_of_the_gradient(name: str) -> None:
    """Compare Hessian-vector products of input and parameters in float64, to 1e-9."""
    model, run, shape = MODELS[name]()
    draw = np.random.default_rng(0)
    x = Variable(draw.normal(size=shape))
    run(x)  # creates the parameters
    leaves = [x, *model.params()]
    points = [0.7 * draw.normal(size=leaf.shape) for leaf in leaves]
    directions = [
        draw.normal(size=leaf.shape) / sum(p.size for p in points) ** 0.5 for leaf in leaves
    ]
    weights = draw.normal(size=run(x).shape)

    def gradients(distance: float, create_graph: bool = False) -> list[Any]:
        for leaf, point, direction in zip(leaves, points, directions, strict=True):
            leaf.data = point + distance * direction
        y = run(x)
        return grad(F.sum(weights * y + y**3), leaves, create_graph=create_graph)

    first = gradients(0.0, create_graph=True)
    second = grad(sum(F.sum(g * d) for g, d in zip(first, directions, strict=True)), leaves)
    moved = {point: gradients(point * STEP) for point in POINTS}
    for number, found in enumerate(second):
        expected = sum(c * moved[point][number].data for point, c in POINTS.items()) / STEP
        scale = np.abs(expected).max()
        assert np.abs(found.data - expected).max() <= 1e-9 * max(scale, 1), (name, number)


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_dezero_imports_few_modules() -> None:
    """PyTorch imports about 1,500 modules, and each takes about as long."""
    code = (
        "import sys, numpy, pluggy; n = len(sys.modules); import dezero; print(len(sys.modules)-n)"
    )
    assert int(run_python(code)) < 320


FOREIGN = """
import sys, warnings
warnings.simplefilter("error")
import dezero, numpy
early = "importlib.metadata" in sys.modules
x = dezero.Parameter(numpy.ones((1, 2)))
dezero.functions.sum(dezero.functions.relu(x)).backward()  # plugins are looked for
print(early, sorted(name for name in sys.modules if name.startswith("foreign")))
"""


def test_nothing_is_imported_for_500_foreign_distributions(tmp_path: Path) -> None:
    """Distributions with entry points of other groups, or with none, are not read."""
    for number in range(500):
        name = f"foreign{number}"
        information = tmp_path / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        if number % 2:
            group = ("console_scripts", "pytest11", "dezero_of_strangers")[number % 3]
            (information / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}\n")
        if number % 50 == 0:
            (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported')\n")
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    assert run_python(FOREIGN, PYTHONPATH=os.pathsep.join(filter(None, paths))) == "False []\n"
