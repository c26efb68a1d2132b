"""What the loop's nodes hand on, and which of them comes next."""

from typing import Literal, TypedDict

from .draft import Draft
from .planner import Decision
from .trace import Reason, Turn

Node = Literal["plan", "act", "answer"]


class State(TypedDict, total=False):
    """What goes from node to node."""

    turn: Turn
    decision: Decision | None
    reason: Reason | None  # why to stop; None means go on
    problem: str
    draft: Draft | str | None  # after a restart, the answer as far as it was written
    began: float  # when this step began, on the turn's own clock
    spent: float  # seconds of the turn, where it is kept


class Channels(TypedDict):
    """What LangGraph hands on: all in one channel, since each costs time in every step."""

    state: State


def next_node(state: State) -> Node:
    """Return where to go from a state."""
    if state.get("reason"):
        return "answer"
    return "act" if state.get("decision") else "plan"
