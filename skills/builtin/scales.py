"""Axes: from numbers to places, with round numbers as marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MARKS = 6  # about so many on an axis


@dataclass(frozen=True)
class Scale:
    """An axis from low to high, and the round numbers that are marked on it."""

    low: float
    high: float
    marks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def scaled(values: Sequence[float]) -> Scale:
    """Return an axis that holds all values and begins and ends at a mark.

    The marks are multiples of 1, 2 or 5 times a power of ten, after Heckbert's "Nice numbers for
    graph labels" (Graphics Gems, 1990).
    """
    low, high = min(values), max(values)
    if high - low <= 1e-12 * max(abs(low), abs(high)):  # all the same: some room about them
        room = abs(high) / 2 or 0.5
        low, high = low - room, high + room
    step = _step((high - low) / _MARKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = tuple(number * step for number in range(first, last + 1))
    return Scale(marks[0], marks[-1], marks)


def shown(value: float) -> str:
    """Write a number short enough for a mark or a bar."""
    text = f"{value:.4g}"
    return text if "e" not in text or abs(value) >= 1e6 or value == 0 else f"{value:.0f}"


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= least * (1 - 1e-9))
