"""Agents: a planner decides, skills act, and a trace remembers."""

from .agent import Agent
from .events import (
    ActionFinished,
    ActionProposed,
    ActionStarted,
    AnswerDelta,
    Event,
    Finished,
    StepStarted,
    ThoughtDelta,
)
from .graph import Limits
from .loading import load_planner
from .planner import Decision, Planner, PlannerError, PlanView
from .scripted import ScriptedPlanner
from .session import Session
from .slash import parse_call, write_call
from .trace import Reason, Step, Trace, Turn

__all__ = [
    "ActionFinished",
    "ActionProposed",
    "ActionStarted",
    "Agent",
    "AnswerDelta",
    "Decision",
    "Event",
    "Finished",
    "Limits",
    "PlanView",
    "Planner",
    "PlannerError",
    "Reason",
    "ScriptedPlanner",
    "Session",
    "Step",
    "StepStarted",
    "ThoughtDelta",
    "Trace",
    "Turn",
    "load_planner",
    "parse_call",
    "write_call",
]
