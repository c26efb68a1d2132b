"""How long things take, side by side: what slows the machine for a while slows all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The middle of several measurements, the best and the worst."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up one or more measurements."""
        return cls(middle=median(values), low=min(values), high=max(values))

    def __str__(self) -> str:
        return f"{self.middle:9.3f}  ({self.low:.3f} to {self.high:.3f})"


def side_by_side(
    works: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Spread]:
    """Return the seconds that each work takes, by name.

    Args:
        works: What to do; each once to warm up, then in turn.
        rounds: How often.
        clock: Gives seconds; `time.process_time` counts only those on a core.
    """
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began = clock()
            work()
            taken[name].append(clock() - began)
    return {name: Spread.of(values) for name, values in taken.items()}
