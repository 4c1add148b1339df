"""Run a graph with onnxruntime, and compare it with the model on NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from .errors import ExportError
from .lengths import FreeLengths, Input, Shape
from .tracing import NEXT, shapes_of
from .twin import Twin

ERRORS = (
    state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented,
    state.RuntimeException,
)  # fmt: skip
"""The errors that onnxruntime raises for bad graphs; their only common class is Exception."""

RUNS = 2
"""The number of runs with different free lengths."""


def largest_difference(
    model: Any, arrays: Mapping[str, Any], graph: onnx.ModelProto, examples: Mapping[str, Input]
) -> float:
    """Return the largest difference between onnxruntime and NumPy, as in `ExportReport`.

    Args:
        model: the model.
        arrays: a dictionary from keys to the arrays of the model, on the host.
        graph: the graph of the model.
        examples: the inputs by name. Inputs without a value get random numbers from a normal
            distribution, or random integers from 0 and 1.

    Raises:
        ExportError: onnxruntime cannot run the graph.
    """
    shapes = shapes_of(graph.graph.input)
    dtypes = {
        x.name: onnx.helper.tensor_dtype_to_np_dtype(x.type.tensor_type.elem_type)
        for x in graph.graph.input
    }
    differences = [0.0]
    draw = np.random.default_rng(0)
    try:
        session = new_session(graph)
        for sizes in lengths_of_runs(shapes):
            feed = {
                name: draw_input(draw, sizes.traced(shape), dtypes[name])
                for name, shape in shapes.items()
            }
            feed |= {name: x.value for name, x in examples.items() if x.value is not None}
            found = dict(zip(output_names(graph), session.run(None, feed), strict=True))
            expected = run_on_numpy(model, arrays, feed, list(examples))
            differences += [difference(y, expected[name]) for name, y in found.items()]
    except ERRORS as error:
        raise ExportError(
            f"onnxruntime cannot run the graph: {error}; check=False writes the file without "
            "running it"
        ) from error
    return max(differences)


def new_session(graph: onnx.ModelProto) -> Any:
    """Return a session of onnxruntime on the CPU that raises errors, and prints no messages."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def output_names(graph: onnx.ModelProto) -> list[str]:
    """Return the names of the outputs of a graph."""
    return [x.name for x in graph.graph.output]


def lengths_of_runs(shapes: Mapping[str, Shape]) -> Iterator[FreeLengths]:
    """Yield values of the free lengths for each run, of which no two are equal.

    Without free lengths there is one run.
    """
    names = dict.fromkeys(n for shape in shapes.values() for n in shape if isinstance(n, str))
    numbers = count(2)
    for _ in range(RUNS if names else 1):
        yield FreeLengths({name: next(numbers) for name in names})


def draw_input(draw: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return random numbers of a shape and dtype."""
    is_floating = np.issubdtype(dtype, np.floating)
    return (draw.standard_normal(shape) if is_floating else draw.integers(0, 2, shape)).astype(
        dtype
    )


def run_on_numpy(
    model: Any, arrays: Mapping[str, Any], feed: Mapping[str, Any], names: list[str]
) -> dict[str, Any]:
    """Return the outputs and the new states of the model on NumPy."""
    twin = Twin(model, arrays)
    twin.set_states({name: x for name, x in feed.items() if name not in names})
    ys = twin.run(*[feed[name] for name in names])
    found = {name + NEXT: state.data for name, state in twin.states.items()}
    found |= {"y" if len(ys) == 1 else f"y{i}": y.data for i, y in enumerate(ys)}
    return found


def difference(y: Any, expected: Any) -> float:
    """Return the largest difference, divided by the largest expected value if that exceeds 1.

    NaN and infinity differ from all other values, and shapes must be equal.
    """
    if y.shape != expected.shape:
        return float("inf")
    same = (y == expected) | (np.isnan(y) & np.isnan(expected))
    if same.all():
        return 0.0
    wide = expected.astype(np.float64)
    largest = np.max(np.abs(wide), initial=1.0, where=np.isfinite(wide))
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        found = np.max(np.abs(y.astype(np.float64) - wide), initial=0.0, where=~same)
    return float("inf") if np.isnan(found) else float(found / largest)
