"""Explain which line of a step cannot be captured, and what to write instead."""

from __future__ import annotations

import linecache
from types import FrameType, TracebackType

from dezero_core import Function
from dezero_core.errors import CaptureError

LIBRARIES = frozenset(
    "dezero dezero_core dezero_nn dezero_io dezero_cuda cupy cupyx cupy_backends numpy nvmath "
    "cudnn contextlib functools".split()
)
"""The top-level modules of DeZero and of the libraries that DeZero calls."""

REASONS = {
    "D2H": ("reads values of an array", "return the array, and read it after the step"),
    "H2D": ("copies from the host", "make the array before the step, or pass it as an argument"),
    "cuBLAS": ("calls cuBLAS through CuPy", "install nvmath-python (the extra cuda12 or cuda13)"),
    "cuRAND": ("calls cuRAND", "draw random numbers by DeZero's functions, such as dropout"),
    "cuSOLVER": ("calls cuSOLVER", "call it outside of the step"),
    "Unjoined": ("does not wait for a sum over the ranks", "wait for the sum in the step"),
    "apturing": ("waits for the device", "wait after the step"),
    "apture": ("cannot be captured by CUDA", "call it outside of the step"),
}
"""A dictionary from a part of CuPy's message to what the step does and the remedy. If two parts
match, the first one is used."""


class Refusal(CaptureError):
    """The error that DeZero raises for an operation that a replay would not repeat."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} cannot be part of a captured step; {remedy}")
        self.what, self.remedy = what, remedy


def explain_error(error: BaseException) -> BaseException:
    """Return a `CaptureError` if the capture caused ``error``, else ``error`` itself."""
    place, op = location(error.__traceback__)
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, Refusal):
            return CaptureError(f"capture: {each.what} at {place}: {each.remedy}")
        message = str(each)
        if "captur" in message.lower() and isinstance(each, RuntimeError):
            found = next((r for part, r in REASONS.items() if part in message), None)
            reason, remedy = found or ("cannot be captured", "call it outside of the step")
            return CaptureError(f"capture: {op} at {place} {reason}; {remedy}")
        each = each.__cause__ or each.__context__
    return error


def location(traceback: TracebackType | None) -> tuple[str, str]:
    """Return the last line of the user's code in a traceback, and the op that the line called."""
    frames: list[tuple[FrameType, int]] = []
    while traceback is not None:
        frames.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    users = [k for k, (frame, _) in enumerate(frames) if not is_library(frame)]
    if not users:
        return "the end of the step", "the call"
    last = users[-1]
    frame, line = frames[last]
    path = frame.f_code.co_filename
    source = linecache.getline(path, line, frame.f_globals).strip()
    return f"{path}, line {line} ({source})", op_of([frame for frame, _ in frames[last + 1 :]])


def is_library(frame: FrameType) -> bool:
    """Return whether a frame runs code of DeZero or of a library that it calls."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] in LIBRARIES


def op_of(frames: list[FrameType]) -> str:
    """Return the name of the op that the frames run, or else of their first function."""
    for frame in frames:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Function):
            return type(owner).__name__
    return frames[0].f_code.co_name.strip("_") if frames else "the call"
