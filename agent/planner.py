"""What a planner is asked, and what it decides."""

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from llava_plus.errors import LlavaPlusError
from llava_plus.skills import Artifacts, Call, SkillRegistry

from .trace import Turn


class PlannerError(LlavaPlusError):
    """The planner's output cannot be read; the message goes back to the planner, once."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One step's outcome: calls to make, or the answer when there is nothing left to do."""

    thought: str = ""
    calls: tuple[Call, ...] = ()
    answer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        calls = [call.model_dump(mode="json") for call in self.calls]
        return {"thought": self.thought, "calls": calls, "answer": self.answer}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Decision":
        """Read what `to_json` wrote."""
        calls = tuple(Call.model_validate(call) for call in fields["calls"])
        return cls(thought=fields["thought"], calls=calls, answer=fields["answer"])


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """All that a planner may look at; the last turn is the running one, without an answer yet."""

    turns: tuple[Turn, ...]
    artifacts: Artifacts
    skills: SkillRegistry
    cancel: threading.Event  # set when the planner should stop, from whatever thread
    deadline: float | None = None  # in time.monotonic() seconds

    def call_ids(self) -> Iterator[str]:
        """Yield ids for new calls, numbered on from those of the session."""
        done = sum(len(step.actions) for turn in self.turns for step in turn.steps)
        return (f"call_{number}" for number in count(done + 1))


class Planner(Protocol):
    """Anything that decides what to do next: a local model, a remote one, a script.

    One that awaits nothing and decides at once may have ``quick = True``: a step costs less then.
    """

    @property
    def name(self) -> str:
        """What traces call this planner."""

    def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the raw output as it comes, in pieces, then one `Decision`.

        Raise `PlannerError` for output that cannot be read. Long work belongs in a thread, which
        looks at ``view.cancel``: what blocks the event loop cannot be stopped from outside.
        """


def told_apart(calls: tuple[Call, ...], view: PlanView) -> tuple[Call, ...]:
    """Give new ids to calls whose ids were used before in the session."""
    steps = [step for turn in view.turns for step in turn.steps]
    used = {call.id for step in steps for call in step.actions}
    apart: list[Call] = []
    for call in calls:
        if call.id in used:
            fresh = next(name for name in view.call_ids() if name not in used)
            call = call.model_copy(update={"id": fresh})
        used.add(call.id)
        apart.append(call)
    return tuple(apart)
