"""Compile the CUDA kernels of dezero-cuda with NVRTC, NVIDIA's compiler, which needs no GPU.

CuPy calls the same compiler when a kernel first runs on a device. Run `hatch run gpu-tools:check`.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="cuda-bindings is not installed")

from dezero_cuda.kernels.sources import C_TYPES, FAMILIES, OPTIONS, source  # noqa: E402

DEVICES = {"sm_75": "T4", "sm_80": "A100", "sm_90": "H100 and H200"}
"""A dictionary from the architectures to compile for to devices with the architecture."""

CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")
"""The options that CuPy 14 adds (cupy/cuda/compiler.py); with the first, denormals become 0."""


def checked(results: tuple[Any, ...]) -> Any:
    """Return the result of a call of NVRTC, which returns (status, result)."""
    status, *values = results
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, nvrtc.nvrtcGetErrorString(status)[1].decode()
    return values[0] if values else None


def compiled(code: str, options: tuple[str, ...]) -> tuple[str, bytes]:
    """Return the messages of the compiler and the machine code, which is empty after an error."""
    program = checked(nvrtc.nvrtcCreateProgram(code.encode(), b"kernels.cu", 0, [], []))
    given = [option.encode() for option in options]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(given), given)
    log = bytes(checked(nvrtc.nvrtcGetProgramLogSize(program)))
    checked(nvrtc.nvrtcGetProgramLog(program, log))
    cubin = b""
    if status == nvrtc.nvrtcResult.NVRTC_SUCCESS:
        cubin = bytes(checked(nvrtc.nvrtcGetCUBINSize(program)))
        checked(nvrtc.nvrtcGetCUBIN(program, cubin))
    checked(nvrtc.nvrtcDestroyProgram(program))
    return log.rstrip(b"\0").decode(), cubin


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scalar", C_TYPES.values())
@pytest.mark.parametrize("family", FAMILIES)
def test_nvrtc_compiles_every_kernel(family: str, scalar: str, device: str) -> None:
    code = f"#define SCALAR {scalar}\n{source(family)}"
    messages, cubin = compiled(code, (*OPTIONS, *CUPY_OPTIONS, f"-arch={device}"))
    assert messages == ""
    for name in re.findall(r"^KERNEL (\w+)\(", code, re.MULTILINE):
        assert name.encode() in cubin


def test_an_error_in_a_kernel_is_reported() -> None:
    messages, cubin = compiled("KERNEL nothing(", OPTIONS)
    assert "error" in messages and cubin == b""
