"""The planner that does as it is told: for tests, documentation and data."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from .dialects import json
from .notation import parse_call_text, split_outside_quotes
from .planner import Decision, PlanView

Line = Decision | str | Exception
CALLS = re.compile(r"[a-z_]\w*\(.*\)", re.DOTALL)


class ScriptedPlanner:
    """Plays decisions in order, one a step, over all turns of a session.

    Each line is a `Decision`, an exception to raise, a function of the view that gives one of
    these, or words:

    - ``detect(img_1, "face") & ocr(img_1)``: calls; bare names are handles,
    - ``{"thought":…}``: raw output, readable or not, as a model would write it,
    - anything else: the answer.
    """

    def __init__(
        self, script: Sequence[Line | Callable[[PlanView], Line]], *, name: str = "scripted"
    ) -> None:
        self.name = name
        self.script = tuple(script)
        self.played = 0

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the next line in small pieces, then as a decision."""
        line = self._next(view)
        if isinstance(line, Exception):
            raise line
        if isinstance(line, str) and line.startswith('{"'):
            text, decision = line, None
        else:
            decision = line if isinstance(line, Decision) else read_line(line, view)
            text = json.write(decision, view.skills)
        for piece in _pieces(text):
            yield piece
        yield decision or json.parse(text, view.call_ids())

    def _next(self, view: PlanView) -> Line:
        if self.played >= len(self.script):
            raise IndexError(f"The script is over after {self.played} lines; add one.")
        line = self.script[self.played]
        self.played += 1
        return line(view) if callable(line) else line


def read_line(line: str, view: PlanView) -> Decision:
    """Read calls or an answer."""
    if not CALLS.fullmatch(line.strip()):
        return Decision(answer=line)
    sources = split_outside_quotes(line.strip(), "&")
    ids = view.call_ids()
    return Decision(
        calls=tuple(parse_call_text(one, view.skills, call_id=next(ids)) for one in sources)
    )


def _pieces(text: str, size: int = 7) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))
