"""Evaluation: how well planners plan."""

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
