"""Record the graphs of dezero-cuda with the real cudnn-frontend; this needs no GPU.

Planning needs a driver, so a graph that is recorded here may still have no engine on a device. Run
`hatch run gpu-tools:check`. The other environments have a stand-in for the package instead.
"""

from __future__ import annotations

from typing import Any

import pytest

cudnn = pytest.importorskip("cudnn", reason="nvidia-cudnn-frontend is not installed")
if "fakes" in cudnn.__file__:
    pytest.skip("a stand-in for cudnn-frontend is first on the path", allow_module_level=True)

from dezero_cuda import graphs  # noqa: E402
from dezero_cuda.graphs import Attention, Convolution, strides  # noqa: E402

X, W, Y = (2, 4, 9, 8), (6, 2, 3, 3), (2, 6, 5, 4)
"""Shapes of images, filters and outputs of a convolution with two groups and stride 2."""


def recorded(description: Any) -> Any:
    """Return the graph of a description."""
    kind = cudnn.data_type.FLOAT
    graph = cudnn.pygraph(
        io_data_type=cudnn.data_type[description.data_type],
        intermediate_data_type=kind,
        compute_data_type=kind,
    )
    description.record(graph, kind)
    return graph


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("part", "has_bias", "nodes", "inputs", "output"),
    [
        ("y", False, ["conv_fprop"], {1: X, 2: W}, (3, Y)),
        ("y", True, ["conv_fprop", "bias"], {1: X, 2: W, 4: (1, 6, 1, 1)}, (3, Y)),
        ("x", False, ["conv_dgrad"], {3: Y, 2: W}, (1, X)),
        ("W", False, ["conv_wgrad"], {1: X, 3: Y}, (2, W)),
    ],
)
def test_a_convolution_is_recorded(
    part: str, has_bias: bool, nodes: Any, inputs: Any, output: Any, channels_last: bool
) -> None:
    steps = (2, 2), (1, 1), (1, 1)
    graph = recorded(Convolution(part, X, W, Y, *steps, has_bias, "FLOAT", channels_last))
    assert [node.name.split(".")[0] for node in graph.nodes] == nodes
    assert {t.uid: tuple(t.dim) for t in graph.get_inputs()} == inputs
    (result,) = graph.get_outputs()
    assert (result.uid, tuple(result.dim)) == output
    assert result.stride == strides(output[1], channels_last)


def test_cudnn_infers_the_same_output_shape() -> None:
    graph = recorded(Convolution("y", X, W, Y, (2, 2), (1, 1), (1, 1), False, "FLOAT", True))
    image, weight = graph.get_inputs()
    steps = {"padding": [1, 1], "stride": [2, 2], "dilation": [1, 1]}
    assert tuple(graph.conv_fprop(image=image, weight=weight, **steps).dim) == Y


@pytest.mark.parametrize("has_statistics", [False, True])
def test_attention_is_recorded(has_statistics: bool) -> None:
    q, k, v = (2, 4, 8, 16), (2, 4, 8, 16), (2, 4, 8, 24)
    y, statistics = (2, 4, 8, 24), (2, 4, 8, 1)
    graph = recorded(Attention(False, q, k, v, True, 0.25, has_statistics))
    outputs = {4: y, 5: statistics} if has_statistics else {4: y}
    assert {t.uid: tuple(t.dim) for t in graph.get_outputs()} == outputs
    assert {t.uid: tuple(t.dim) for t in graph.get_inputs()} == {1: q, 2: k, 3: v}
    inferred, logs = graph.sdpa(*graph.get_inputs(), generate_stats=True, attn_scale=0.25)
    assert (tuple(inferred.dim), tuple(logs.dim)) == (y, statistics)
    graph = recorded(Attention(True, q, k, v, True, 0.25, True))
    assert {t.uid: tuple(t.dim) for t in graph.get_outputs()} == {7: q, 8: k, 9: v}
    assert {t.uid for t in graph.get_inputs()} == {1, 2, 3, 4, 5, 6}


def test_every_name_that_plans_use_exists() -> None:
    for note in (*graphs.NONDETERMINISTIC, *graphs.STRICT, *graphs.INEXACT):
        assert cudnn.numerical_note[note].name == note
    assert {"A", "FALLBACK"} <= set(cudnn.heur_mode.__members__)
    assert "HEURISTICS_CHOICE" in cudnn.build_plan_policy.__members__
    assert issubclass(cudnn.cudnnGraphNotSupportedError, Exception)
