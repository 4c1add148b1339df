"""Build and run execution plans of cuDNN, through NVIDIA's cudnn-frontend.

A plan is the choice of cuDNN's engine for one graph. Building a plan takes up to 50 ms, so plans
are cached. All plans give the same bits in every run (docs/adr/0008).
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import cupy
import numpy as np

from dezero_core import Config

from .graphs import INEXACT, NONDETERMINISTIC, STRICT
from .libraries import load

MAX_WORKSPACE = 256 << 20
"""Engines of cuDNN that need a larger workspace, in bytes, are not used."""

MAX_PLANS = 4096
"""The maximum number of cached plans. A captured graph may use the code of a plan, so the limit is
far above the number of plans in a program."""


class Handles(threading.local):
    """Hold the cuDNN handles of one thread, one for each device."""

    def __init__(self) -> None:
        self.of_device: dict[int, Any] = {}

    def current(self, cudnn: Any) -> Any:
        """Return the handle for the current device, set to the current stream."""
        device = cupy.cuda.Device().id
        handle = self.of_device.get(device)
        if handle is None:
            handle = self.of_device[device] = cudnn.create_handle()
        cudnn.set_stream(handle=handle, stream=cupy.cuda.get_current_stream().ptr)
        return handle


_handles = Handles()


class Plan:
    """Run one graph on arrays.

    Args:
        graph: a graph of cudnn-frontend, whose plans are built.
    """

    def __init__(self, graph: Any) -> None:
        self.graph, self.workspace = graph, max(1, graph.get_workspace_size())

    def __call__(self, arrays: dict[int, Any]) -> None:
        """Run the graph on the arrays, whose keys are the numbers of the graph's tensors.

        The graph writes its outputs in place.
        """
        pointers = {uid: array.data.ptr for uid, array in arrays.items()}
        workspace = cupy.empty(self.workspace, np.uint8)  # CuPy's pool frees memory in stream order
        handle = _handles.current(load("cudnn"))
        self.graph.execute(pointers, workspace.data.ptr, handle=handle)


def excluded_notes(data_type: str) -> tuple[str, ...]:
    """Return the numerical notes of the engines that the current precision does not allow."""
    if data_type != "FLOAT":
        return NONDETERMINISTIC
    is_strict = Config.float32_precision == "float32"
    return NONDETERMINISTIC + STRICT * is_strict + INEXACT * Config.exact


def plan_for(description: Any) -> Plan | str:
    """Return the plan for a description of `graphs`, or the reason why there is none."""
    cudnn = load("cudnn")
    if isinstance(cudnn, str):
        return cudnn
    return build_plan(description, excluded_notes(description.data_type), cupy.cuda.Device().id)


@lru_cache(MAX_PLANS)
def build_plan(description: Any, notes: tuple[str, ...], device: int) -> Plan | str:
    """Build the plan for a description on the current device."""
    cudnn = load("cudnn")
    types = cudnn.data_type
    graph = cudnn.pygraph(
        io_data_type=types[description.data_type],
        intermediate_data_type=types.FLOAT,
        compute_data_type=types.FLOAT,
        handle=_handles.current(cudnn),
    )
    description.record(graph, types.FLOAT)
    try:
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        graph.deselect_numeric_notes([cudnn.numerical_note[name] for name in notes])
        graph.deselect_workspace_greater_than(MAX_WORKSPACE)
        graph.check_support()
        graph.build_plans(cudnn.build_plan_policy.HEURISTICS_CHOICE)
    except cudnn.cudnnGraphNotSupportedError as error:
        return f"cuDNN has no engine for this call: {error}"
    return Plan(graph)
