"""Define `ReduceLROnPlateau`, a schedule that depends on the scores of the training run."""

from __future__ import annotations

from typing import Any

from dezero_core.arguments import as_integer
from dezero_core.errors import ArgumentError
from dezero_core.state import require_no_recording

from .optimizer import Optimizer
from .schedules import Schedule
from .settings import require_state, setting


class ReduceLROnPlateau(Schedule):
    """Multiply the learning rate by ``gamma`` when a score has stopped improving.

    Call ``step(score)`` after each epoch, usually with the loss on the validation data. A score
    improves if it is better than the best one by more than ``threshold * abs(best)``. A score of
    NaN never improves. PyTorch's ReduceLROnPlateau computes the same rates for scores above 0.

    Args:
        optimizer: the optimizer whose learning rate the schedule changes.
        mode: "min" if lower scores are better (default), or "max".
        gamma: the factor, in [0, 1) (default 0.1).
        patience: the number of steps without improvement that change nothing (default 10).
        threshold: the smallest relative improvement that counts, at least 0 (default 1e-4).
        cooldown: the number of steps after a reduction in which steps without improvement are not
            counted (default 0).
        lowest: the lowest factor of the base rate, at least 0 (default 0).

    Attributes:
        best: the best score so far, or None.

    Raises:
        ArgumentError: a number is out of its range, ``mode`` is unknown, or ``optimizer`` is
            invalid; see `Schedule`.
        ArgumentTypeError: ``patience`` or ``cooldown`` is not an integer.
    """

    gamma: float = setting(below=1)
    threshold: float = setting()
    lowest: float = setting()

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        gamma: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        lowest: float = 0.0,
    ) -> None:
        if not isinstance(mode, str) or mode not in ("min", "max"):
            raise ArgumentError(f"ReduceLROnPlateau: mode is {mode!r}; expected 'min' or 'max'")
        self.mode, self.gamma, self.threshold, self.lowest = mode, gamma, threshold, lowest
        self.patience = as_integer("ReduceLROnPlateau", "patience", patience, minimum=0)
        self.cooldown = as_integer("ReduceLROnPlateau", "cooldown", cooldown, minimum=0)
        self.best: float | None = None
        self._product = 1.0
        self._bad_steps = self._resting = 0
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return self._product

    def step(self, score: Any = None) -> None:
        """Compare a score with the best one; reduce the rate if scores have stopped improving.

        Args:
            score: a number, or a Variable or array with one element.

        Raises:
            ArgumentError: there is no score.
            CallError: a later schedule has replaced this one.
            CaptureError: the call is inside a captured step.
        """
        require_no_recording("ReduceLROnPlateau.step()", "call it after the captured step")
        if score is None:
            raise ArgumentError("ReduceLROnPlateau.step: got no score; write schedule.step(loss)")
        self._require_running("step()")
        if self._is_better(score := float(score)):
            self.best, self._bad_steps = score, 0
        else:
            self._bad_steps += 1
        if self._resting:
            self._resting, self._bad_steps = self._resting - 1, 0
        if self._bad_steps > self.patience:
            self._product = max(self._product * self.gamma, self.lowest)
            self._resting, self._bad_steps = self.cooldown, 0
        super().step()

    def state_dict(self) -> dict[str, Any]:
        """Return a state for checkpoints: that of `Schedule`, the best score and the counts."""
        own = {name: getattr(self, name) for name in STATE}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that ``state_dict`` returned; see `Schedule.load_state_dict`."""
        require_state(self, state, "t", "rate", *STATE)
        for name in STATE:
            setattr(self, name, state[name])
        super().load_state_dict(state)

    def _is_better(self, score: float) -> bool:
        if self.best is None:
            return score == score  # not NaN
        gain = self.best - score if self.mode == "min" else score - self.best
        return gain > self.threshold * abs(self.best)

    def _become_part(self) -> None:
        raise ArgumentError(
            "WarmUp: then is a ReduceLROnPlateau, which needs scores; make both schedules of the "
            "optimizer without then, and step both"
        )


STATE = "best", "_product", "_bad_steps", "_resting"
"""The attributes that a checkpoint stores."""
