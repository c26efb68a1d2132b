"""Figures with their 95 % intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.evals.plan_score import wilson

ROUNDS = 1000  # of resampling
SEED = 0

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number, its 95 % interval and how many independent things it comes from."""

    name: str
    value: float
    low: float
    high: float
    count: int
    unit: str = "%"
    method: str = "Wilson"
    note: str = ""

    def line(self) -> str:
        """Write it for a person."""
        unit = f" {self.unit}" if self.unit else ""
        interval = f"95 %: {self.low:.1f} to {self.high:.1f}, {self.method}, n = {self.count}"
        note = f"; {self.note}" if self.note else ""
        return f"{self.name}: {self.value:.1f}{unit} ({interval}{note})"

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def share(name: str, hits: int, total: int, note: str = "") -> Figure:
    """A proportion in percent, with its Wilson interval."""
    low, high = wilson(hits, total)
    value = hits / total if total else 0.0
    return Figure(
        name=name, value=100 * value, low=100 * low, high=100 * high, count=total, note=note
    )


def resampled(
    name: str,
    strata: Sequence[Sequence[Sequence[float]]],
    figure: Callable[[Sequence[Values]], float],
    *,
    unit: str = "%",
    note: str = "",
) -> Figure:
    """A figure made of means, with a percentile interval from a seeded bootstrap.

    Args:
        name: What to call it.
        strata: Sets of items that are drawn from separately, none empty; an item is some values.
        figure: Makes the number from each set's mean (value).
        unit: Of the number.
        note: What a reader must know besides.
    """
    sets: list[Values] = [np.asarray(items, dtype=np.float64) for items in strata]
    random = np.random.default_rng(SEED)
    drawn = [
        figure([items[random.integers(len(items), size=len(items))].mean(axis=0) for items in sets])
        for _ in range(ROUNDS)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Figure(
        name=name,
        value=figure([items.mean(axis=0) for items in sets]),
        low=float(low),
        high=float(high),
        count=sum(map(len, sets)),
        unit=unit,
        method="bootstrap",
        note=note,
    )


def mean(name: str, values: Sequence[float], note: str = "") -> Figure:
    """The mean of scores in 0..1, in percent, with a bootstrap interval."""
    return resampled(
        name, [[(value,) for value in values]], lambda means: 100 * float(means[0][0]), note=note
    )
