"""Agents: a planner decides, skills act, and a trace remembers."""

from .agent import Agent
from .events import (
    ActionFinished,
    ActionProgressed,
    ActionProposed,
    ActionStarted,
    AnswerDelta,
    ApprovalNeeded,
    Event,
    Finished,
    StepStarted,
    ThoughtDelta,
)
from .graph import Limits
from .home import StoreError, data_home
from .loading import load_planner
from .planner import Decision, Planner, PlannerError, PlanView
from .recordings import Recorded, read_items, recorded
from .replaying import Replay, replay
from .scripted import ScriptedPlanner
from .session import Session
from .sessions import Retention, SessionInfo, SessionStore
from .slash import parse_call, write_call
from .trace import Reason, Step, Trace, Turn

__all__ = [
    "ActionFinished",
    "ActionProgressed",
    "ActionProposed",
    "ActionStarted",
    "Agent",
    "AnswerDelta",
    "ApprovalNeeded",
    "Decision",
    "Event",
    "Finished",
    "Limits",
    "PlanView",
    "Planner",
    "PlannerError",
    "Reason",
    "Recorded",
    "Replay",
    "Retention",
    "ScriptedPlanner",
    "Session",
    "SessionInfo",
    "SessionStore",
    "Step",
    "StepStarted",
    "StoreError",
    "ThoughtDelta",
    "Trace",
    "Turn",
    "data_home",
    "load_planner",
    "parse_call",
    "read_items",
    "recorded",
    "replay",
    "write_call",
]
