"""Let a backend record a training step once, and replay it with other numbers.

While a step is recorded, arrays have no values yet, and every Python number that reaches a kernel
becomes a constant of the recording. A number that changes from step to step, such as a learning
rate, must therefore come from `step_numbers`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from .config import Setting


class StepRecorder(Protocol):
    """Describe the object that records a step; `dezero_cuda.capture` creates one."""

    records: bool  # False in the eager calls before the recording

    def numbers(self, source: Callable[[], tuple[float, ...]], dtype: Any) -> tuple[Any, ...]:
        """Return a 0-d array for each number of ``source()``; see `step_numbers`."""

    def guard(self, source: Callable[[], object]) -> None:
        """Replay the recording only while ``source()`` returns an equal value."""

    def on_failure(self, restore: Callable[[], None]) -> None:
        """Call ``restore()`` if the step cannot be recorded."""

    def changes(self, owner: object, name: str, value: object) -> None:
        """Note that the step sets an attribute, which may hold an array, to ``value`` next."""

    def refuse(self, what: str, remedy: str) -> None:
        """Raise `CaptureError` with ``what``, which cannot be recorded, and the ``remedy``."""


recorder: Setting[StepRecorder | None] = Setting("recorder", None)
"""The recorder of the step that is recorded in this thread or task; None outside a recording."""


step_keys: list[Callable[[], Hashable]] = []
"""Functions without arguments; a step is recorded once for each combination of their results."""


def step_numbers(source: Callable[[], tuple[float, ...]], dtype: Any) -> tuple[Any, ...]:
    """Return ``source()``: numbers of one training step that may differ in the next step.

    While a step is recorded, the result is a tuple of 0-d arrays of ``dtype`` on the device
    instead, and ``source`` is called once for each later step, in the order of the calls of
    ``step_numbers``. A kernel that takes such a number must therefore accept both a Python number
    and a 0-d array, and must not branch on its value.

    Args:
        source: a function that returns a tuple of Python numbers, always of the same length. It may
            change state on the host, such as the count of updates.
        dtype: the dtype to which a kernel rounds the numbers, so that both forms give equal bits.
    """
    recording = recorder.get()
    return source() if recording is None else recording.numbers(source, dtype)


def require_no_recording(what: str, remedy: str) -> None:
    """Raise `CaptureError` while a step is recorded, because a replay would not repeat ``what``."""
    if recording := recorder.get():
        recording.refuse(what, remedy)
