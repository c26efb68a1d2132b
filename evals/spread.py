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

    def times(self, factor: float) -> "Spread":
        """Return the same in another unit."""
        return Spread(middle=self.middle * factor, low=self.low * factor, high=self.high * factor)

    def __format__(self, spec: str) -> str:
        """Write all three; the spec is that of the middle, such as ``9.3f``."""
        narrow = "." + spec.rpartition(".")[2]
        return f"{self.middle:{spec}} ({self.low:{narrow}} to {self.high:{narrow}})"


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds that a work took, several times over."""

    clock: Spread
    cores: Spread  # only while it was on a core: what a busy machine can still measure


def side_by_side(works: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Took]:
    """Return what each work takes, by name.

    Args:
        works: What to do; each once to warm up, then in turn.
        rounds: How often.
    """
    for work in works.values():
        work()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began = time.perf_counter(), time.process_time()
            work()
            taken[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return {name: _took(pairs) for name, pairs in taken.items()}


def _took(pairs: Sequence[tuple[float, float]]) -> Took:
    clock, cores = zip(*pairs, strict=True)
    return Took(clock=Spread.of(clock), cores=Spread.of(cores))
