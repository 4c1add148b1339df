"""Search along a line for a step size that satisfies the strong Wolfe conditions.

f(t) is the loss after a step of size t. The conditions of a step size are a sufficient decrease,
f(t) <= f(0) + 1e-4 t f'(0), and a small derivative, |f'(t)| <= 0.9 |f'(0)|. See Nocedal and Wright,
"Numerical Optimization", 2006, section 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

DECREASE = 1e-4
CURVATURE = 0.9
MAX_EVALUATIONS = 25


class Point(NamedTuple):
    """A step size, and the loss, its derivative along the line and its gradient there."""

    t: float
    loss: float
    derivative: float
    g: Any


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, shortest: float
) -> Point:
    """Return the first point that satisfies the conditions, or else the lowest point found.

    ``low`` is the lowest point so far, and its derivative points to ``high``. Before there is a
    ``high``, the steps grow; then the interval between both points shrinks.

    Args:
        evaluate: returns the point for a step size.
        start: the point for the step size 0.
        t: the first step size to try.
        shortest: stop if the interval is shorter.
    """
    low, high = start, None
    for _ in range(MAX_EVALUATIONS):
        point = evaluate(t)
        bound = start.loss + DECREASE * t * start.derivative
        if not (point.loss <= bound and (low is start or point.loss < low.loss)):  # NaN too
            high = point
        elif abs(point.derivative) <= -CURVATURE * start.derivative:
            return point
        else:
            turned = point.derivative * ((high.t if high else math.inf) - low.t) >= 0
            before, low = low, point
            high = before if turned else high
        if high is None:
            ahead = minimum(before, low)
            t = ahead if 1.01 * t < ahead < 10 * t else 10 * t
        else:
            width = high.t - low.t
            if abs(width) < shortest:
                break
            near, far = sorted((low.t + 0.1 * width, high.t - 0.1 * width))
            t = min(max(minimum(low, high), near), far)
    return low


def minimum(a: Point, b: Point) -> float:
    """Return where the cubic through two points has its minimum; the middle if it has none."""
    d = a.derivative + b.derivative - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d * d - a.derivative * b.derivative
    if not 0 <= square < math.inf:
        return (a.t + b.t) / 2
    root = math.copysign(math.sqrt(square), b.t - a.t)
    divisor = b.derivative - a.derivative + 2 * root
    if divisor == 0:
        return (a.t + b.t) / 2
    return b.t - (b.t - a.t) * (b.derivative + root - d) / divisor
