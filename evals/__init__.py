"""Evaluation: how well planners plan."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plan_run import Result, evaluate, read_requests, summarize
    from .plan_score import PlanScore, score, wilson

__all__ = [
    "PlanScore",
    "Result",
    "evaluate",
    "read_requests",
    "score",
    "summarize",
    "wilson",
]

_HOMES = {
    "PlanScore": "plan_score",
    "Result": "plan_run",
    "evaluate": "plan_run",
    "read_requests": "plan_run",
    "score": "plan_score",
    "summarize": "plan_run",
    "wilson": "plan_score",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `plan_run` is a command, too."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
