"""Axes: from numbers to places, with round numbers as marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MARKS = 6  # about so many on an axis


@dataclass(frozen=True)
class Scale:
    """An axis from low to high, with marks at round numbers and the words that stand there."""

    low: float
    high: float
    marks: tuple[tuple[float, str], ...] = ()

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def scaled(values: Sequence[float]) -> Scale:
    """Return an axis that holds all values and begins and ends at a mark.

    The marks are multiples of 1, 2 or 5 times a power of ten, after Heckbert's "Nice numbers for
    graph labels" (Graphics Gems, 1990); where all values are whole, so are the marks.
    """
    low, high = min(values), max(values)
    if high - low <= 1e-12 * max(abs(low), abs(high)):  # all the same: some room about them
        low, high = low - abs(low) / 2, high + (abs(high) / 2 or 1)
    step = _step((high - low) / _MARKS)
    if all(float(value).is_integer() for value in values):
        step = max(step, 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = [number * step for number in range(first, last + 1)]
    words = _words(places, step)
    return Scale(places[0], places[-1], tuple(zip(places, words, strict=True)))


def shown(value: float) -> str:
    """Write a number with four digits, short enough to stand on a bar."""
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e" in text and 1 <= abs(value) < 1e6 else text


def _words(places: Sequence[float], step: float) -> list[str]:
    """Write marks with as many digits as tell them apart."""
    largest, last = max(map(abs, places)), math.floor(math.log10(step) + 1e-9)
    if 1e-4 <= largest < 1e6:
        return [f"{place:.{max(0, -last)}f}" for place in places]
    digits = 1 + math.floor(math.log10(largest)) - last
    return [f"{place:.{digits}g}" for place in places]


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= least * (1 - 1e-9))
