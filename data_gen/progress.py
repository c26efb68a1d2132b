"""How far a run of the generator has come."""

import time
from dataclasses import dataclass, field
from typing import Any

from .verify import Yield

COUNTS = ("items", "written", "played", "replayed", "fresh")
DRY = 20  # parts in a row without a trace that is kept, after which there is nothing more to say
SHOWN = 5  # problems whose words are kept


@dataclass(kw_only=True)
class Progress:
    """How far a run has come.

    Args:
        wanted: Traces that are to be kept.
        remade: Parts that an earlier run had made.
    """

    wanted: int
    kept: int = 0
    parts: int = 0
    remade: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    yields: dict[str, Yield] = field(default_factory=dict)
    problems: list[dict[str, str]] = field(default_factory=list)  # the first few
    problem_count: int = 0
    dry: int = 0  # parts in a row without a trace that is kept
    began: float = field(default_factory=time.monotonic)
    found: int = 0  # traces kept of parts that an earlier run had made

    def begin(self) -> None:
        """Begin to count the time: what is there was made before."""
        self.remade, self.found, self.began = self.parts, self.kept, time.monotonic()

    @property
    def over(self) -> bool:
        """Whether there is enough, or nothing more to be had."""
        return self.kept >= self.wanted or self.exhausted

    @property
    def exhausted(self) -> bool:
        """Whether the writers have nothing new to say about these pictures."""
        return self.dry >= DRY

    @property
    def rate(self) -> float:
        """Traces kept per second by this run."""
        return (self.kept - self.found) / max(time.monotonic() - self.began, 1e-9)

    @property
    def share(self) -> float:
        """How many of the traces were kept, 0..1."""
        return self.kept / max(self.counts["played"], 1)

    @property
    def left(self) -> float | None:
        """Seconds until there is enough at this rate, none where that cannot be told."""
        return (self.wanted - self.kept) / self.rate if self.rate > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON without what a clock or the cache decides: equal runs, equal files."""
        yields = [one.to_json() for one in self.yields.values()]
        counts = {name: count for name, count in self.counts.items() if name != "fresh"}
        return {**counts, "kept": self.kept, "problems": self.problem_count, "yields": yields}
