"""Counts over traces, in memory that does not grow with them."""

from collections import Counter
from typing import Any

from llava_plus.agent import Trace, Turn

BINS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # upper ends, for words of requests and answers
MOST = 1000  # different names that a table counts; what comes after is counted as "others"


class Statistics:
    """What traces are made of: skills, steps, lengths, and how calls and turns ended."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.tables: dict[str, Counter[str]] = {name: Counter() for name in TABLES}

    def add(self, trace: Trace) -> None:
        """Count one trace."""
        self.counts["traces"] += 1
        self._count("planners", trace.planner or "unnamed")
        self._count("licences", trace.licence or "not named")
        self._count("turns", str(len(trace.turns)))
        for turn in trace.turns:
            self._turn(turn)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON: totals, and a table for each of `TABLES`."""
        tables = {name: dict(_ordered(name, table)) for name, table in self.tables.items()}
        return {**dict(self.counts), **tables}

    def _turn(self, turn: Turn) -> None:
        self.counts["turns in all"] += 1
        self.counts["pictures given"] += len(turn.images)
        self._count("ends", turn.reason)
        self._count("words of requests", _bin(turn.message))
        self._count("words of answers", _bin(turn.answer))
        calls = [call for step in turn.steps for call in step.actions]
        self._count("steps", str(sum(bool(step.actions) for step in turn.steps)))
        self._count("first skills", calls[0].skill if calls else "none")
        self.counts["calls"] += len(calls)
        for call in calls:
            self._count("skills", call.skill)
        for step in turn.steps:
            for seen in step.observations:
                self._count("results", seen.kind or f"failed: {seen.error}")
                self.counts["failed calls"] += not seen.ok

    def _count(self, table: str, name: str) -> None:
        counts = self.tables[table]
        counts[name if name in counts or len(counts) < MOST else "others"] += 1


TABLES = (
    "skills", "first skills", "steps", "turns", "results", "ends", "words of requests",
    "words of answers", "planners", "licences",
)  # fmt: skip
NUMBERED = ("steps", "turns", "words of requests", "words of answers")


def _bin(text: str) -> str:
    """Return the range into which a number of words falls."""
    words, low = len(text.split()), 0
    for high in BINS:
        if words <= high:
            return f"{low}-{high}" if low < high else str(high)
        low = high + 1
    return f"{low}-"


def _ordered(name: str, table: Counter[str]) -> list[tuple[str, int]]:
    """Sort by number where rows are numbers, else the most frequent first."""
    if name in NUMBERED:
        return sorted(table.items(), key=lambda row: int(row[0].partition("-")[0]))
    return sorted(table.items(), key=lambda row: (-row[1], row[0]))
