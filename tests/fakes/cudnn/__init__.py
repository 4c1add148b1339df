"""A stand-in for the part of cudnn-frontend 1.32 that dezero-cuda calls.

NumPy computes the graphs at raw addresses. A graph requires the same order of calls, and checks the
same arguments, as in the real package. `executed` lists the graphs that ran, for tests. A test may
append a function to `declines` that returns why no engine supports a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

import cupy
import numpy as np
from memory import array_at

from . import computed


class cudnnGraphNotSupportedError(RuntimeError):
    """Report that no engine supports a graph; the real package has an error of this name."""


data_type = Enum("data_type", ["FLOAT", "HALF", "BFLOAT16", "NOT_SET"])
heur_mode = Enum("heur_mode", ["A", "B", "FALLBACK"])
build_plan_policy = Enum("build_plan_policy", ["HEURISTICS_CHOICE", "ALL"])
numerical_note = Enum(
    "numerical_note",
    [
        "TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION", "FFT",
        "NONDETERMINISTIC", "WINOGRAD", "WINOGRAD_TILE_4x4", "WINOGRAD_TILE_6x6",
        "WINOGRAD_TILE_13x13", "STRICT_NAN_PROP",
    ],
)  # fmt: skip
norm_forward_phase = Enum("norm_forward_phase", ["NOT_SET", "TRAINING", "INFERENCE"])
DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "BFLOAT16": np.uint16}

executed: list[pygraph] = []
declines: list[Callable[[pygraph], str]] = []


class Handle:
    """A pretended handle."""

    stream: int | None = None


def create_handle() -> Handle:
    return Handle()


def set_stream(handle: Any, stream: int) -> None:
    if not isinstance(handle, Handle):
        raise TypeError(f"cudnn.set_stream expects a cudnn.Handle, got {type(handle).__name__}")
    handle.stream = stream


def backend_version() -> int:
    return 91900


class Tensor:
    """An input or a result of a graph."""

    def __init__(self, dim: Any = (), stride: Any = (), data_type: Any = None,
                 uid: int | None = None, is_virtual: bool = False) -> None:  # fmt: skip
        self.dim, self.stride, self.data_type = list(dim), list(stride), data_type
        self.uid, self.is_virtual = uid, is_virtual

    def set_output(self, value: bool) -> Tensor:
        self.is_virtual = not value
        return self

    def set_uid(self, uid: int) -> Tensor:
        self.uid = uid
        return self

    def set_dim(self, dim: list[int]) -> Tensor:
        self.dim = [int(n) for n in dim]
        return self

    def set_stride(self, stride: list[int]) -> Tensor:
        self.stride = [int(n) for n in stride]
        return self

    def set_data_type(self, data_type: Any) -> Tensor:
        self.data_type = data_type
        return self

    def get_dim(self) -> list[int]:
        return self.dim

    def get_stride(self) -> list[int]:
        return self.stride


class pygraph:
    """A graph that is recorded, planned and run like a graph of cuDNN."""

    def __init__(self, *, io_data_type: Any, intermediate_data_type: Any, compute_data_type: Any,
                 handle: Handle) -> None:  # fmt: skip
        self.io_data_type, self.compute_data_type = io_data_type, compute_data_type
        self.handle, self.tensors, self.nodes = handle, list[Tensor](), list[Any]()
        self.done: list[str] = []
        self.deselected: set[str] = set()

    def tensor(self, *, dim: list[int], stride: list[int], uid: int | None = None,
               data_type: Any = None, is_pass_by_value: bool = False) -> Tensor:  # fmt: skip
        assert len(dim) == len(stride) and all(type(n) is int for n in (*dim, *stride))
        self.tensors.append(Tensor(dim, stride, data_type, uid))
        return self.tensors[-1]

    def _node(self, name: str, count: int, **arguments: Any) -> Any:
        results = [Tensor(is_virtual=True) for _ in range(count)]
        self.tensors += results
        self.nodes.append((getattr(computed, name), arguments, results))
        return results[0] if count == 1 else results

    def conv_fprop(self, image: Tensor, weight: Tensor, padding: list[int], stride: list[int],
                   dilation: list[int]) -> Tensor:  # fmt: skip
        return self._node("conv_fprop", 1, image=image, weight=weight, padding=padding,
                          stride=stride, dilation=dilation)  # fmt: skip

    def conv_dgrad(self, loss: Tensor, filter: Tensor, padding: list[int], stride: list[int],
                   dilation: list[int]) -> Tensor:  # fmt: skip
        return self._node("conv_dgrad", 1, loss=loss, filter=filter, padding=padding,
                          stride=stride, dilation=dilation)  # fmt: skip

    def conv_wgrad(self, image: Tensor, loss: Tensor, padding: list[int], stride: list[int],
                   dilation: list[int]) -> Tensor:  # fmt: skip
        return self._node("conv_wgrad", 1, image=image, loss=loss, padding=padding,
                          stride=stride, dilation=dilation)  # fmt: skip

    def sdpa(self, q: Tensor, k: Tensor, v: Tensor, attn_scale: float, use_causal_mask: bool,
             generate_stats: bool) -> list[Any]:  # fmt: skip
        assert type(attn_scale) is float and type(generate_stats) is bool
        y, stats = self._node("sdpa", 2, q=q, k=k, v=v, attn_scale=attn_scale,
                              use_causal_mask=use_causal_mask)  # fmt: skip
        return [y, stats if generate_stats else None]

    def sdpa_backward(self, q: Tensor, k: Tensor, v: Tensor, o: Tensor, dO: Tensor, stats: Tensor,
                      attn_scale: float, use_causal_mask: bool,
                      use_deterministic_algorithm: bool) -> Any:  # fmt: skip
        assert type(attn_scale) is float and use_deterministic_algorithm
        return self._node("sdpa_backward", 3, q=q, k=k, v=v, o=o, dO=dO, stats=stats,
                          attn_scale=attn_scale, use_causal_mask=use_causal_mask)  # fmt: skip

    def bias(self, input: Tensor, bias: Tensor) -> Tensor:
        return self._node("bias", 1, input=input, bias=bias)

    def _step(self, name: str, *needed: str) -> None:
        assert set(needed) <= set(self.done), f"{name} before {needed}"
        self.done.append(name)

    def validate(self) -> None:
        self._step("validate")
        for tensor in self.tensors:
            if not tensor.is_virtual:
                assert tensor.uid is not None and tensor.dim and tensor.stride, vars(tensor)

    def build_operation_graph(self) -> None:
        self._step("build_operation_graph", "validate")

    def create_execution_plans(self, heuristics: list[Any]) -> None:
        assert all(isinstance(mode, heur_mode) for mode in heuristics)
        self._step("create_execution_plans", "build_operation_graph")

    def deselect_numeric_notes(self, notes: list[Any]) -> None:
        self._step("deselect", "create_execution_plans")
        self.deselected |= {numerical_note(note).name for note in notes}

    def deselect_workspace_greater_than(self, workspace_limit: int) -> None:
        self._step("deselect", "create_execution_plans")

    def check_support(self) -> None:
        self._step("check_support", "create_execution_plans")
        for decline in declines:
            if reason := decline(self):
                raise cudnnGraphNotSupportedError(reason)

    def build_plans(self, policy: Any) -> None:
        assert isinstance(policy, build_plan_policy)
        self._step("build_plans", "check_support")

    def get_workspace_size(self) -> int:
        self._step("get_workspace_size", "build_plans")
        return 64

    def execute(self, tensor_dict: dict[int, int], workspace: int, handle: Handle) -> None:
        self._step("execute", "build_plans")
        assert isinstance(handle, Handle) and workspace
        assert handle.stream == cupy.cuda.get_current_stream().ptr
        cupy._counts["launches"] += 1
        executed.append(self)
        cupy.graphs.launch(partial(self._run, dict(tensor_dict)))

    def _run(self, tensor_dict: dict[int, int]) -> None:
        values: dict[int, Any] = {}
        for tensor in self.tensors:
            if not tensor.is_virtual:
                values[id(tensor)] = self._read(tensor, tensor_dict[tensor.uid])  # type: ignore[index]
        for compute, arguments, results in self.nodes:
            given = {
                name: values[id(value)] if isinstance(value, Tensor) else value
                for name, value in arguments.items()
            }
            given["kept_bits"] = self._kept_bits()
            found = compute(results=[(tuple(t.dim), t.uid) for t in results], **given)
            for tensor, value in zip(results, found, strict=True):
                values[id(tensor)] = value
                if not tensor.is_virtual:
                    self._write(tensor, tensor_dict[tensor.uid], value)  # type: ignore[index]

    def _kept_bits(self) -> int | None:
        """Return the fraction bits of the factors: 10 in TF32; None if they are not rounded."""
        is_float = self.io_data_type is data_type.FLOAT
        return 10 if is_float and "TENSOR_CORE" not in self.deselected else None

    def _view(self, tensor: Tensor, address: int) -> Any:
        name = (tensor.data_type or self.io_data_type).name
        return array_at(address, tensor.dim, tensor.stride, DTYPES[name])

    def _read(self, tensor: Tensor, address: int) -> Any:
        view = self._view(tensor, address)
        if view.dtype == np.uint16:
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view.astype(np.float32)

    def _write(self, tensor: Tensor, address: int, value: Any) -> None:
        view = self._view(tensor, address)
        if view.dtype == np.uint16:
            value = computed.rounded(value, 7).view(np.uint32) >> 16
        view[...] = value
