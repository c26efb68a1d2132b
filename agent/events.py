"""What happens while a session runs, in the order in which it happens."""

from dataclasses import dataclass

from llava_plus.skills import Artifact, Call, Observation

from .trace import Trace, Turn


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """The planner begins ``turn.steps[index]``; thought and answer start afresh."""

    index: int


@dataclass(frozen=True, kw_only=True)
class ThoughtDelta:
    """More of this step's thought."""

    text: str


@dataclass(frozen=True, kw_only=True)
class ActionProposed:
    """The planner wants this call."""

    call: Call


@dataclass(frozen=True, kw_only=True)
class ApprovalNeeded:
    """The turn waits until somebody calls `Session.approve` or `refuse` with the call's id."""

    call: Call


@dataclass(frozen=True, kw_only=True)
class ActionStarted:
    """The call runs now."""

    call: Call


@dataclass(frozen=True, kw_only=True)
class ActionProgressed:
    """The call that runs has come so far: ``done`` of ``total`` parts."""

    call: Call
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class ActionFinished:
    """The call ended, well or badly; ``artifact`` is what it made."""

    call: Call
    observation: Observation
    artifact: Artifact | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerDelta:
    """More of the answer, as the person reads it; before an action it was the thought."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The turn is over: ``turn.reason`` says why, ``trace`` holds the whole session."""

    turn: Turn
    trace: Trace


Event = (
    StepStarted
    | ThoughtDelta
    | ActionProposed
    | ApprovalNeeded
    | ActionStarted
    | ActionProgressed
    | ActionFinished
    | AnswerDelta
    | Finished
)
